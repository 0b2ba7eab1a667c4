#include "bench/compare/comparison_output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace mtlprune::bench {
namespace {

bool is_time(const Metric& metric) {
    return metric.name == "real_time" || metric.name == "cpu_time";
}

/// Times with a unit, counters as numbers.
std::string value_text(double value, const Metric& metric) {
    if (!is_time(metric)) return fmt::format("{:.4g}", value);
    if (value < 1e3) return fmt::format("{:.3g} ns", value);
    if (value < 1e6) return fmt::format("{:.4g} us", value / 1e3);
    return value < 1e9 ? fmt::format("{:.4g} ms", value / 1e6) : fmt::format("{:.4g} s", value / 1e9);
}

std::string percent_text(double ratio) {
    return std::isinf(ratio) || ratio == 0 ? "?" : fmt::format("{:+.1f} %", 100 * (ratio - 1));
}

std::string change_text(const ComparisonRow& row) {
    return row.decision ? percent_text(row.decision->ratio) : "";
}

std::string interval_text(const ComparisonRow& row) {
    if (!row.decision) return "";
    return fmt::format("{} to {}", percent_text(row.decision->low), percent_text(row.decision->high));
}

std::string row_verdict(const ComparisonRow& row) {
    std::vector<std::string> parts;
    if (row.decision) parts.push_back(verdict_text(row.decision->verdict));
    parts.insert(parts.end(), row.broken.begin(), row.broken.end());
    if (!row.remark.empty()) parts.push_back(row.remark);
    return fmt::format("{}", fmt::join(parts, "; "));
}

using Cells = std::vector<std::string>;

std::vector<Cells> cells_of(const Comparison& comparison) {
    std::vector<Cells> lines = {{"benchmark", "base", "new", "cost", "interval", "pairs", "verdict"}};
    for (const auto& row : comparison.rows)
        lines.push_back({row.name, row.base > 0 ? value_text(row.base, row.metric) : "",
                         row.now > 0 ? value_text(row.now, row.metric) : "", change_text(row),
                         interval_text(row), row.decision ? std::to_string(row.decision->pairs) : "",
                         row_verdict(row)});
    return lines;
}

std::string rules_text(const Comparison& comparison) {
    const auto& rules = comparison.rules;
    std::set<std::string> metrics;
    for (const auto& row : comparison.rows) metrics.insert(row.metric.name);
    return fmt::format(
        "{}: medians; cost and its interval over pairs of runs. Same: within {:g} %; different: by more than "
        "{:g} %; false alarms of the whole suite: at most {:g} %.",
        fmt::join(metrics, ", "), 100 * rules.margin, 100 * rules.tolerance, 100 * rules.alarm_rate);
}

std::string xml_text(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '&')
            escaped += "&amp;";
        else if (c == '<')
            escaped += "&lt;";
        else if (c == '>')
            escaped += "&gt;";
        else if (c == '"')
            escaped += "&quot;";
        else if (static_cast<unsigned char>(c) < 0x20)
            escaped += ' ';
        else
            escaped += c;
    }
    return escaped;
}

std::string markdown_cell(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '|' || c == '<' || c == '*' || c == '_' || c == '`') escaped += '\\';
        escaped += c == '\n' ? ' ' : c;
    }
    return escaped;
}

std::string junit_case(const ComparisonRow& row) {
    const auto start = fmt::format("    <testcase classname=\"bench\" name=\"{}\"", xml_text(row.name));
    const auto message =
        xml_text(fmt::format("{}: {} ({})", row_verdict(row), change_text(row), interval_text(row)));
    if (row.fails())
        return fmt::format("{}>\n      <failure message=\"{}\"/>\n    </testcase>\n", start, message);
    if (row.decision && row.decision->verdict == Verdict::need_more_data)
        return fmt::format("{}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", start, message);
    return fmt::format("{}/>\n", start);
}

nlohmann::json finite_or_null(double value) {
    return std::isfinite(value) && value > 0 ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json row_json(const ComparisonRow& row) {
    nlohmann::json json = {{"name", row.name},
                           {"metric", row.metric.name},
                           {"higher_is_better", row.metric.higher_is_better},
                           {"base", row.base},
                           {"new", row.now},
                           {"broken", row.broken},
                           {"remark", row.remark},
                           {"fails", row.fails()}};
    if (!row.decision) return json;
    json["pairs"] = row.decision->pairs;
    json["ratio"] = row.decision->ratio;
    json["low"] = finite_or_null(row.decision->low);
    json["high"] = finite_or_null(row.decision->high);
    json["verdict"] = verdict_text(row.decision->verdict);
    return json;
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
    const auto lines = cells_of(comparison);
    std::vector<size_t> widths(lines[0].size());
    for (const auto& line : lines)
        for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    std::string text;
    for (const auto& line : lines) {
        for (size_t i = 0; i + 1 < line.size(); ++i)
            text += i == 0 ? fmt::format("{:<{}}  ", line[i], widths[i])
                           : fmt::format("{:>{}}  ", line[i], widths[i]);
        text += line.back() + "\n";
    }
    for (const auto& note : comparison.notes) text += fmt::format("note: {}\n", note);
    return text + rules_text(comparison) + "\n" + comparison.summary() + "\n";
}

std::string comparison_markdown(const Comparison& comparison) {
    std::string text = fmt::format("### Benchmarks: {}\n\n", comparison.fails() ? "worse" : "no alarm");
    bool heading = true;
    for (const auto& line : cells_of(comparison)) {
        for (const auto& cell : line) text += fmt::format("| {} ", markdown_cell(cell));
        text += "|\n";
        if (heading) text += "|---|---:|---:|---:|---:|---:|---|\n";
        heading = false;
    }
    text += fmt::format("\n{}. {}\n", comparison.summary(), rules_text(comparison));
    for (const auto& note : comparison.notes) text += fmt::format("\n* {}", markdown_cell(note));
    return text + (comparison.notes.empty() ? "" : "\n");
}

std::string comparison_junit(const Comparison& comparison) {
    int64_t failures = 0, skipped = 0;
    std::string cases;
    for (const auto& row : comparison.rows) {
        failures += row.fails();
        skipped += !row.fails() && row.decision && row.decision->verdict == Verdict::need_more_data;
        cases += junit_case(row);
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"benchmarks\" "
        "tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n{}  </testsuite>\n</testsuites>\n",
        comparison.rows.size(), failures, skipped, cases);
}

nlohmann::json comparison_json(const Comparison& comparison) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : comparison.rows) rows.push_back(row_json(row));
    const auto& rules = comparison.rules;
    return {{"rules",
             {{"margin", rules.margin}, {"tolerance", rules.tolerance}, {"alarm_rate", rules.alarm_rate}}},
            {"benchmarks", rows},
            {"notes", comparison.notes},
            {"fails", comparison.fails()}};
}

}  // namespace mtlprune::bench
