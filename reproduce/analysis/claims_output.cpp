// The claims as JSON and as HTML.
#include <fmt/format.h>

#include <cmath>

#include "reproduce/analysis/claims.h"
#include "reproduce/report/html.h"

namespace mtlprune {
namespace {

nlohmann::json finding_to_json(const TaskFinding& finding) {
    return {{"task", finding.metric.task},
            {"metric", finding.metric.name},
            {"higher_is_better", finding.metric.higher_is_better},
            {"n", finding.n},
            {"difference", finding.difference},
            {"sd", finding.sd},
            {"interval", {finding.interval.low, finding.interval.high}},
            {"d_z", finding.d_z},
            {"hedges_g", finding.hedges_g},
            {"margin", finding.margin},
            {"p", finding.p},
            {"p_holm", finding.p_holm},
            {"p_against", finding.p_against},
            {"p_against_holm", finding.p_against_holm},
            {"wilcoxon_p", finding.wilcoxon_p},
            {"reading", finding.reading}};
}

nlohmann::json findings_to_json(const std::vector<TaskFinding>& findings) {
    nlohmann::json list = nlohmann::json::array();
    for (const TaskFinding& finding : findings) list.push_back(finding_to_json(finding));
    return list;
}

/// Digits after the point that resolve a hundredth of a percentage point, of a degree, or a ten-thousandth.
int finding_digits(const MetricInfo& metric) {
    return metric.display_unit.empty() ? 4 : 2;
}

HtmlCell interval_cell(const TaskFinding& finding) {
    if (std::isnan(finding.interval.low)) return number_cell(finding.interval.low, 0);
    const double scale = finding.metric.display_scale;
    const int digits = finding_digits(finding.metric);
    return number_cell(fmt::format("{:+.{}f} to {:+.{}f}", finding.interval.low * scale, digits,
                                   finding.interval.high * scale, digits));
}

std::string interval_header(const Claim& claim) {
    return fmt::format("{:.0f} % CI", 100 * (1 - 2 * claim.alpha));
}

std::vector<HtmlCell> difference_cells(const TaskFinding& finding) {
    const MetricInfo& metric = finding.metric;
    const std::string unit = metric.difference_unit().empty() ? "" : ", " + metric.difference_unit();
    const int digits = finding_digits(metric);
    return {text_cell(fmt::format("{}: {}{} ({})", metric.task, metric.label, unit,
                                  metric.higher_is_better ? "↑" : "↓")),
            number_cell(std::to_string(finding.n)),
            number_cell(finding.difference * metric.display_scale, digits, true),
            interval_cell(finding),
            number_cell(finding.d_z, 2, true),
            number_cell(finding.margin * metric.display_scale, digits)};
}

std::string findings_table(const Claim& claim) {
    std::vector<std::vector<HtmlCell>> rows;
    for (const TaskFinding& finding : claim.findings) {
        std::vector<HtmlCell> row = difference_cells(finding);
        for (const double p : {finding.p, finding.p_holm, finding.p_against_holm})
            row.push_back(p_value_cell(p));
        row.push_back(text_cell(finding.reading));
        rows.push_back(std::move(row));
    }
    return html_table({"Task", "n", "Difference", interval_header(claim), "d_z", "Margin", "p", "p (Holm)",
                       "p against (Holm)", "Reading"},
                      rows);
}

std::string details_table(const Claim& claim) {
    std::vector<std::vector<HtmlCell>> rows;
    for (const ClaimDetail& detail : claim.details) {
        for (const TaskFinding& finding : detail.findings) {
            std::vector<HtmlCell> row = difference_cells(finding);
            row.insert(row.begin(), text_cell(detail.label));
            row.push_back(p_value_cell(finding.p));
            rows.push_back(std::move(row));
        }
    }
    if (rows.empty()) return "";
    return html_table({"Part", "Task", "n", "Difference", interval_header(claim), "d_z", "Margin", "p"}, rows,
                      "Parts (descriptive: p values not adjusted, not part of the verdict)");
}

std::string claim_to_html(const Claim& claim) {
    std::string html = fmt::format(
        "<section class=\"claim\" id=\"{}\">\n<h3>{}: {} <span class=\"verdict "
        "{}\">{}</span></h3>\n<p><strong>{}</strong> "
        "(n = {} seeds)</p>\n<p>{}</p>\n<p class=\"small\">{}</p>\n",
        html_escape(claim.id), html_escape(claim.id), html_escape(claim.title), verdict_class(claim.verdict),
        verdict_label(claim.verdict), html_escape(claim.reading), claim.n, html_escape(claim.statement),
        html_escape(claim.rule));
    if (!claim.findings.empty()) html += findings_table(claim);
    html += details_table(claim);
    if (!claim.notes.empty()) {
        html += "<ul class=\"small\">\n";
        for (const std::string& note : claim.notes) html += fmt::format("<li>{}</li>\n", html_escape(note));
        html += "</ul>\n";
    }
    return html + "</section>\n";
}

}  // namespace

nlohmann::json claims_to_json(const std::vector<Claim>& claims) {
    nlohmann::json list = nlohmann::json::array();
    for (const Claim& claim : claims) {
        nlohmann::json details = nlohmann::json::array();
        for (const ClaimDetail& detail : claim.details)
            details.push_back({{"label", detail.label}, {"findings", findings_to_json(detail.findings)}});
        list.push_back({{"id", claim.id},
                        {"title", claim.title},
                        {"statement", claim.statement},
                        {"rule", claim.rule},
                        {"verdict", verdict_label(claim.verdict)},
                        {"reading", claim.reading},
                        {"n", claim.n},
                        {"alpha", claim.alpha},
                        {"findings", findings_to_json(claim.findings)},
                        {"details", details},
                        {"notes", claim.notes}});
    }
    return {{"claims", list}};
}

std::string claims_to_html(const std::vector<Claim>& claims) {
    std::string html;
    for (const Claim& claim : claims) html += claim_to_html(claim);
    return html;
}

}  // namespace mtlprune
