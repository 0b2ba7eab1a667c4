// The parts of report.html about networks that do no better than a prediction that ignores the image.
#include <fmt/format.h>

#include <cmath>

#include "reproduce/analysis/blind_networks.h"
#include "reproduce/report/html.h"
#include "reproduce/report/report_sections.h"

namespace mtlprune {
namespace {

/// "Mean angle (all 3), Relative error (1 of 3)" for the dense, "Taylor, iterative: Mean angle (4 of 12);
/// ..." for the others.
std::string blind_list(const std::vector<BlindNetworks>& found, bool dense) {
    std::string text, label;
    for (const auto& entry : found) {
        if ((entry.kind == BlindNetworks::Kind::dense) != dense) continue;
        const bool same = dense || entry.label() == label;
        text += text.empty() ? "" : same ? ", " : "; ";
        if (!same) text += entry.label() + ": ";
        text += fmt::format("{} ({})", entry.metric.label, entry.count());
        label = entry.label();
    }
    return text;
}

/// `rest` is HTML.
std::string warning(const std::string& strong, const std::string& rest) {
    return fmt::format("<p class=\"warning\"><strong>{}</strong> {}</p>\n", html_escape(strong), rest);
}

HtmlCell blind_value_cell(const ResultTables& tables, const MetricInfo& metric) {
    const double value = tables.blind_value(metric) * metric.display_scale;
    return number_cell(fmt::format(
        "{:.4g}{}", value, metric.display_unit.empty() ? "" : " " + html_escape(metric.display_unit)));
}

std::string blind_table(const ResultTables& tables, const std::vector<BlindNetworks>& found) {
    std::vector<std::vector<HtmlCell>> rows;
    for (const auto& entry : found)
        rows.push_back({text_cell(entry.label()), text_cell(entry.metric.label),
                        blind_value_cell(tables, entry.metric), number_cell(entry.count()),
                        text_cell(entry.which())});
    return html_table({"Networks", "Metric", "Without the image", "No better", "Which"}, rows);
}

}  // namespace

std::string blind_warnings(const ResultTables& tables) {
    const auto found = find_blind_networks(tables);
    std::string html;
    if (const auto dense = blind_list(found, true); !dense.empty())
        html +=
            warning("Dense networks do no better than a prediction that ignores the image in: " + dense + ".",
                    "What the claims say about these tasks then means little.");
    if (const auto pruned = blind_list(found, false); !pruned.empty())
        html += warning("Pruned networks do no better than a prediction that ignores the image:",
                        html_escape(pruned) +
                            ". They have learnt nothing about these tasks that a prediction without the "
                            "image does not know (<a href=\"#blind\">which</a>).");
    if (tables.position_predictor.empty())
        html += warning("The results lack the position-only predictor.",
                        "They come from an earlier version of the program; networks are compared with the "
                        "constant prediction alone.");
    return html;
}

std::string blind_section(const ResultTables& tables) {
    const auto found = find_blind_networks(tables);
    std::string html = "<h2 id=\"blind\">Which networks are no better than without the image?</h2>\n";
    if (found.empty())
        html +=
            "<p>All networks, dense, pruned and re-trained, are better than the predictions that ignore the "
            "image, on the main metric of every task.</p>\n";
    else
        html +=
            "<p>These networks are no better than the better of the two predictions that ignore the image "
            "(constant and position-only), on the main metric of a task. All others are.</p>\n" +
            blind_table(tables, found);
    for (const auto& metric : tables.primary_metrics())
        if (std::isnan(tables.blind_value(metric)))
            html +=
                fmt::format("<p class=\"small\">{}: not known, the results have no such prediction.</p>\n",
                            html_escape(metric.label));
    return html;
}

}  // namespace mtlprune
