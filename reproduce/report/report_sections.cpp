#include "reproduce/report/report_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/revision.h"
#include "reproduce/analysis/blind_networks.h"
#include "reproduce/analysis/statistics.h"
#include "reproduce/report/html.h"
#include "training/metrics.h"

namespace mtlprune {
namespace {

int digits_of(const MetricInfo& metric) {
    return metric.display_unit.empty() || metric.display_unit == "m" ? 4 : 2;
}

std::string label_with_unit(const MetricInfo& metric) {
    const std::string unit = metric.display_unit.empty() ? "" : fmt::format(" ({})", metric.display_unit);
    return fmt::format("{}{} {}", metric.label, unit, metric.higher_is_better ? "↑" : "↓");
}

HtmlCell mean_sd_cell(const MetricInfo& metric, const std::vector<double>& values) {
    const bool finite = std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
    if (values.empty() || !finite) return number_cell(NAN, 0);
    const Summary sample = summarize(values);
    const int digits = digits_of(metric);
    const std::string mean = fmt::format("{:.{}f}", sample.mean * metric.display_scale, digits);
    if (sample.n < 2) return number_cell(mean);
    return number_cell(fmt::format("{} ± {:.{}f}", mean, sample.sd * metric.display_scale, digits));
}

std::vector<double> dense_values(const ResultTables& tables, const std::string& metric) {
    std::vector<double> values;
    values.reserve(tables.dense.size());
    for (const Measurement& network : tables.dense) values.push_back(network.value(metric));
    return values;
}

double value_or_nan(const std::map<std::string, double>& predictor, const std::string& metric) {
    const auto found = predictor.find(metric);
    return found == predictor.end() ? NAN : found->second;
}

/// Whether the dense networks are better than both predictions that ignore the image.
std::string better_than_blind(const ResultTables& tables, const MetricInfo& metric) {
    if (std::isnan(tables.blind_value(metric))) return "not known";
    const auto values = dense_values(tables, metric.name);
    const auto better = static_cast<size_t>(std::count_if(values.begin(), values.end(), [&](double value) {
        return !no_better_than_blind(tables, metric, value);
    }));
    if (better == values.size()) return "yes";
    return better == 0 ? "no" : fmt::format("in {} of {} seeds", better, values.size());
}

std::string duration(const nlohmann::json& run) {
    const auto found = run.find("seconds");
    if (found == run.end() || !found->is_number()) return "not recorded";
    const auto seconds = static_cast<int64_t>(std::llround(found->get<double>()));
    if (seconds < 60) return fmt::format("{} s", seconds);
    if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

std::string plain(const nlohmann::json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object()) {
        std::string text;
        for (const auto& [key, part] : value.items())
            text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", key, plain(part));
        return text;
    }
    if (value.is_array() && value.empty()) return "none";
    if (value.is_array()) {
        std::string text;
        for (const auto& part : value) text += (text.empty() ? "" : ", ") + plain(part);
        return text;
    }
    return value.dump();
}

std::string definition(const std::string& term, const std::string& text) {
    return fmt::format("<dt>{}</dt><dd>{}</dd>\n", html_escape(term), html_escape(text));
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace

std::string run_field(const ResultTables& tables, const std::string& key) {
    const auto found = tables.run.find(key);
    if (found == tables.run.end() || found->is_null()) return "not recorded";
    const std::string text = plain(*found);
    return text.empty() ? "not recorded" : text;
}

std::string headline_section(const ResultTables& tables, const std::vector<Claim>& claims) {
    std::string html = fmt::format(
        "<h1>Structured pruning for multi-task networks: reproduction of Garg, Zhang and Guan (2023)</h1>\n"
        "<p class=\"small\">Run {} · scale {} · fidelity {} · started {} · {} seeds</p>\n<div "
        "class=\"cards\">\n",
        html_escape(run_field(tables, "name")), html_escape(run_field(tables, "scale")),
        html_escape(run_field(tables, "fidelity")), html_escape(run_field(tables, "started")),
        tables.dense.size());
    for (const Claim& claim : claims)
        html += fmt::format(
            "<div class=\"card {0}\"><span class=\"verdict {0}\">{1}</span> · <a href=\"#{2}\">{2}</a>"
            "<p><strong>{3}</strong></p><p class=\"small\">{4}</p></div>\n",
            verdict_class(claim.verdict), verdict_label(claim.verdict), html_escape(claim.id),
            html_escape(claim.title), html_escape(claim.reading));
    html += "</div>\n";
    html += blind_warnings(tables);
    if (!tables.not_passed.empty())
        html += fmt::format("<p class=\"warning\"><strong>Stages without a result: {}.</strong></p>\n",
                            html_escape(join(tables.not_passed)));
    return html +
           "<p class=\"small\">A verdict of “not decided” is not evidence that two things are equal. "
           "Verdicts hold "
           "for this run's data, scale and seeds only.</p>\n";
}

std::string run_section(const ResultTables& tables) {
    std::string html = "<h2>What was run</h2>\n<dl>\n";
    for (const auto& [term, key] :
         std::vector<std::pair<std::string, std::string>>{{"Description", "description"},
                                                          {"Data", "data"},
                                                          {"Scale", "scale"},
                                                          {"Fidelity", "fidelity"},
                                                          {"Seeds", "seeds"},
                                                          {"Machine", "machine"},
                                                          {"Device", "device"},
                                                          {"LibTorch", "torch"},
                                                          {"Started", "started"}})
        html += definition(term, run_field(tables, key));
    const auto programs = tables.run.find("programs");
    html += definition("Program", programs == tables.run.end()
                                      ? "not recorded"
                                      : programs_sentence(*programs, "run.json: programs"));
    const auto resumed = tables.run.find("resumed");
    const bool partly = resumed != tables.run.end() && resumed->is_boolean() && resumed->get<bool>();
    html += definition("Took",
                       duration(tables.run) +
                           (partly ? " (the last invocation; earlier ones had done part of the work)" : ""));
    return html +
           fmt::format("</dl>\n<p>Command:</p>\n<pre>{}</pre>\n", html_escape(run_field(tables, "command")));
}

std::string dense_section(const ResultTables& tables) {
    std::vector<std::vector<HtmlCell>> rows;
    for (const MetricInfo& metric : tables.metrics) {
        const double scale = metric.display_scale;
        const double constant = value_or_nan(tables.constant_predictor, metric.name),
                     position = value_or_nan(tables.position_predictor, metric.name);
        rows.push_back({text_cell(metric.task), text_cell(label_with_unit(metric)),
                        number_cell(constant * scale, digits_of(metric)),
                        number_cell(position * scale, digits_of(metric)),
                        mean_sd_cell(metric, dense_values(tables, metric.name)),
                        text_cell(better_than_blind(tables, metric))});
    }
    return fmt::format(
               "<h2>Does the dense network learn?</h2>\n<p>The unpruned networks (n = {}, mean ± sd over "
               "seeds) against the best predictions that ignore the image: one for all pixels (constant), "
               "one "
               "for each position of a pixel (position-only). A network that is no better shows no use of "
               "the image.</p>\n",
               tables.dense.size()) +
           html_table({"Task", "Metric", "Constant predictor", "Position-only predictor", "Dense network",
                       "Dense better than both?"},
                      rows);
}

std::string selection_section(const ResultTables& tables) {
    std::vector<const Measurement*> selected;
    for (const auto* networks : {&tables.dense, &tables.iterative, &tables.retrained})
        for (const Measurement& network : *networks)
            if (!network.last_values.empty()) selected.push_back(&network);
    if (selected.empty()) return "";
    std::vector<std::vector<HtmlCell>> rows;
    for (const MetricInfo& metric : tables.primary_metrics()) {
        std::vector<double> chosen, last, difference;
        for (const Measurement* network : selected) {
            chosen.push_back(network->value(metric.name));
            last.push_back(network->last_values.at(metric.name));
            difference.push_back(chosen.back() - last.back());
        }
        rows.push_back({text_cell(label_with_unit(metric)), mean_sd_cell(metric, chosen),
                        mean_sd_cell(metric, last), mean_sd_cell(metric, difference)});
    }
    return fmt::format(
               "<h2>Selected and last networks</h2>\n<p>Networks that were selected before the end of "
               "their training (n = {}, mean ± sd), and what its end would have given. All other "
               "networks are the last ones.</p>\n",
               selected.size()) +
           html_table({"Metric", "Selected", "Last", "Difference"}, rows);
}

std::string configurations_section(const ResultTables& tables) {
    std::map<std::pair<int64_t, std::string>, std::vector<const Measurement*>> groups;
    for (const Measurement& row : tables.retrained)
        groups[{row.configuration, row.criterion}].push_back(&row);
    std::map<std::tuple<std::string, int64_t, int64_t>, const Measurement*> iterative;
    for (const Measurement& row : tables.iterative) iterative[{row.criterion, row.seed, row.event}] = &row;
    const auto mean_of = [](const std::vector<const Measurement*>& group, double Measurement::*field) {
        double sum = 0;
        for (const Measurement* row : group) sum += row->*field;
        return sum / static_cast<double>(group.size());
    };
    std::vector<std::string> header = {"Configuration", "Criterion", "n", "Parameters (M)", "MACs (G)"};
    for (const MetricInfo& metric : tables.primary_metrics()) {
        header.push_back(label_with_unit(metric) + ", re-trained");
        header.push_back("iterative");
    }
    std::vector<std::vector<HtmlCell>> rows;
    for (const auto& [key, group] : groups) {
        std::vector<HtmlCell> row = {
            text_cell(std::to_string(key.first)), text_cell(criterion_label(key.second)),
            number_cell(std::to_string(group.size())),
            number_cell(fmt::format("{:.4g}", mean_of(group, &Measurement::parameters) / 1e6)),
            number_cell(fmt::format("{:.4g}", mean_of(group, &Measurement::macs) / 1e9))};
        for (const MetricInfo& metric : tables.primary_metrics()) {
            std::vector<double> scratch, pruned;
            for (const Measurement* network : group) {
                scratch.push_back(network->value(metric.name));
                const auto found = iterative.find({network->criterion, network->seed, network->event});
                if (found != iterative.end()) pruned.push_back(found->second->value(metric.name));
            }
            row.push_back(mean_sd_cell(metric, scratch));
            row.push_back(mean_sd_cell(metric, pruned));
        }
        rows.push_back(std::move(row));
    }
    return "<h2>Results per configuration</h2>\n<p>Mean ± sd over seeds (divisor n − 1). Iterative: the "
           "pruned network of "
           "the same seeds and pruning events, before any re-training.</p>\n" +
           html_table(header, rows);
}

std::string differences_section(const ResultTables& tables) {
    std::string html = "<h2>What differs from the paper</h2>\n";
    const auto found = tables.run.find("differences");
    if (found == tables.run.end() || !found->is_array() || found->empty())
        return html + "<p>None recorded.</p>\n";
    html += "<ul>\n";
    for (const auto& difference : *found)
        html += fmt::format("<li>{}</li>\n", html_escape(plain(difference)));
    return html + "</ul>\n";
}

}  // namespace mtlprune
