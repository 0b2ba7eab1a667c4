// The sections of report.html that show or name files of the results folder.
#include <fmt/format.h>

#include "base/atomic_file.h"
#include "reproduce/report/html.h"
#include "reproduce/report/report_sections.h"

namespace mtlprune {
namespace {

struct FigureEntry {
    const char* file;  ///< without extension
    const char* title;
    const char* caption;
};

const FigureEntry kFigures[] = {
    {"figure1", "Figure 1",
     "Quality during iterative pruning against the number of remaining parameters (logarithmic axis, pruning "
     "proceeds to "
     "the right). Lines: mean over seeds at each pruning event, drawn at the mean parameter count of that "
     "event; bands: "
     "± 1 standard deviation. Dotted: dense network. Dash-dotted: best constant prediction, "
     "long dashes: best prediction by the position of a pixel alone, both where they fit."},
    {"figure2", "Figure 2",
     "Left: remaining parameters after each pruning event (mean ± 1 standard deviation over seeds). Right: "
     "average "
     "pairwise cosine similarity of the tasks' gradients per layer while CosPrune prunes (mean over seeds); "
     "negative "
     "values are conflicts between tasks."},
    {"figure3", "Figure 3",
     "Pruned architectures trained from scratch (solid, mean ± 1 standard deviation over seeds) against the "
     "iteratively "
     "pruned networks of the same seeds and events (dashed). Grey lines as in Figure 1."},
    {"figure1_appendix", "Figure 1, all other metrics", "As Figure 1, for the remaining nine metrics."},
};

std::string figure_html(const FigureEntry& entry, const std::filesystem::path& folder) {
    const std::filesystem::path png = folder / (std::string(entry.file) + ".png");
    if (!std::filesystem::exists(png))
        return fmt::format(
            "<p class=\"warning\">{} is missing: {}.png was not drawn (needs Python 3 with matplotlib and "
            "numpy).</p>\n",
            entry.title, entry.file);
    return fmt::format(
        "<figure id=\"{0}\"><img alt=\"{1}\" "
        "src=\"data:image/png;base64,{2}\">\n<figcaption><strong>{1}.</strong> {3} "
        "Numbers: <a href=\"{0}.csv\">{0}.csv</a>; for print: <a "
        "href=\"{0}.pdf\">{0}.pdf</a>.</figcaption></figure>\n",
        entry.file, entry.title, base64(read_file(png)), html_escape(entry.caption));
}

struct FileEntry {
    const char* file;
    const char* holds;
};

const FileEntry kFiles[] = {
    {"run.json", "the complete description of the run"},
    {"claims.json", "verdicts with all numbers"},
    {"results.csv", "every number of the run: losses, metrics, sizes, widths and scores, one per row"},
    {"figure1.csv", "the lines of Figure 1"},
    {"figure1_appendix.csv", "the lines of Figure 1's other metrics"},
    {"figure2.csv", "the lines of Figure 2"},
    {"figure3.csv", "the lines of Figure 3"},
};

}  // namespace

std::string figures_section(const ResultTables& tables, const std::filesystem::path& results_folder) {
    std::string html = "<h2>Figures</h2>\n";
    for (const FigureEntry& entry : kFigures) html += figure_html(entry, results_folder);
    if (tables.events_with_empty_layer > 0)
        html += fmt::format(
            "<p class=\"small\">{} pruning events that left a layer without filters are shown in no figure "
            "and enter no "
            "claim: such a network no longer depends on its input.</p>\n",
            tables.events_with_empty_layer);
    return html;
}

std::string rerun_section(const ResultTables& tables, const std::filesystem::path& results_folder) {
    std::string html = fmt::format(
        "<h2>Run it again</h2>\n<p>Finished parts are kept; the same command resumes an interrupted "
        "run.</p>\n"
        "<pre>{}</pre>\n<p>Files in this folder:</p>\n<ul>\n",
        html_escape(run_field(tables, "command")));
    for (const FileEntry& entry : kFiles)
        if (std::string(entry.file) == "claims.json" || std::filesystem::exists(results_folder / entry.file))
            html += fmt::format("<li><a href=\"{0}\">{0}</a>: {1}</li>\n", entry.file, entry.holds);
    return html +
           "</ul>\n<h2>Reference</h2>\n<p>Siddhant Garg, Lijun Zhang, Hui Guan: <cite>Structured Pruning for "
           "Multi-Task "
           "Deep Neural Networks</cite>. arXiv:2304.06840, 2023. "
           "<a href=\"https://arxiv.org/abs/2304.06840\">https://arxiv.org/abs/2304.06840</a></p>\n";
}

}  // namespace mtlprune
