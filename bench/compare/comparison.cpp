#include "bench/compare/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/json_reader.h"
#include "bench/compare/context.h"
#include "bench/compare/walsh_averages.h"

namespace mtlprune::bench {
namespace {

using Values = std::map<std::string, double>;

/// One benchmark's repetitions over all files of a side.
struct SideSeries {
    std::vector<Values> repetitions;
    std::vector<size_t> per_file;
    std::string error;
};

struct ComparedSide {
    std::vector<std::string> names;  ///< in order of appearance
    std::map<std::string, SideSeries> series;
};

ComparedSide joined(const std::vector<BenchmarkFile>& files) {
    ComparedSide side;
    for (size_t k = 0; k < files.size(); ++k)
        for (const auto& one : files[k].series) {
            if (side.series.count(one.name) == 0) side.names.push_back(one.name);
            auto& all = side.series[one.name];
            all.repetitions.insert(all.repetitions.end(), one.repetitions.begin(), one.repetitions.end());
            all.per_file.resize(files.size());
            all.per_file[k] = one.repetitions.size();
            if (!one.error.empty()) all.error = one.error;
        }
    return side;
}

void check_contexts(const std::vector<BenchmarkFile>& base, const std::vector<BenchmarkFile>& now, bool force,
                    std::vector<std::string>& notes) {
    std::set<std::string> differences;
    for (const auto* side : {&base, &now})
        for (const auto& file : *side)
            for (auto& difference : context_differences(base[0].context, file.context))
                differences.insert(std::move(difference));
    if (differences.empty()) return;
    if (!force)
        throw Error("comparison", "conditions",
                    fmt::format("the same on both sides (--force compares all the same)"),
                    fmt::format("{}", fmt::join(differences, "; ")));
    notes.push_back(fmt::format("measured under different conditions: {}", fmt::join(differences, "; ")));
}

double metric_of(const Values& values, const Metric& metric, const std::string& name) {
    const auto found = values.find(metric.name);
    if (found == values.end()) {
        std::vector<std::string> known;
        for (const auto& [key, value] : values) known.push_back(key);
        throw Error("comparison", name, fmt::format("metric '{}'", metric.name),
                    fmt::format("{}{}", fmt::join(known, ", "), did_you_mean(metric.name, known)));
    }
    if (!std::isfinite(found->second) || found->second <= 0)
        throw Error("comparison", fmt::format("{}: {}", name, metric.name), "a positive number",
                    fmt::format("{}", found->second));
    return found->second;
}

std::vector<double> metrics_of(const SideSeries& series, const Metric& metric, const std::string& name) {
    std::vector<double> values;
    for (const auto& repetition : series.repetitions) values.push_back(metric_of(repetition, metric, name));
    return values;
}

void require_pairs(const SideSeries& base, const SideSeries& now, const std::string& name) {
    if (base.per_file != now.per_file)
        throw Error("comparison", name, "as many repetitions in every file of both sides",
                    fmt::format("{} and {}", fmt::join(base.per_file, ", "), fmt::join(now.per_file, ", ")));
}

LogRatios log_ratios(const std::vector<double>& base, const std::vector<double>& now, bool higher_is_better) {
    LogRatios ratios;
    for (size_t i = 0; i < base.size(); ++i)
        ratios.push_back(higher_is_better ? std::log(base[i] / now[i]) : std::log(now[i] / base[i]));
    return ratios;
}

/// "" if the counter is as the rule wants it.
std::string broken_rule(const CounterRule& rule, const SideSeries& base, const SideSeries& now) {
    const auto all = [&](const SideSeries& series) {
        std::vector<double> values;
        for (const auto& repetition : series.repetitions)
            if (const auto found = repetition.find(rule.name); found != repetition.end())
                values.push_back(found->second);
        return values;
    };
    const auto old_values = all(base), new_values = all(now);
    if (old_values.empty() != new_values.empty())
        return fmt::format("{} is only on the {} side", rule.name, old_values.empty() ? "new" : "base");
    if (old_values.empty()) return "";
    const double reference = median(old_values);
    for (const double value : new_values)
        if (!(std::fabs(value - reference) <= rule.within * std::fabs(reference)))
            return fmt::format("{} was {} and is {}", rule.name, reference, value);
    return "";
}

void check_rules(const ComparisonOptions& options, const ComparedSide& base, const ComparedSide& now) {
    options.rules.check();
    for (const auto& rule : options.counters) {
        bool known = false;
        for (const auto* side : {&base, &now})
            for (const auto& [name, series] : side->series)
                for (const auto& repetition : series.repetitions) known |= repetition.count(rule.name) > 0;
        if (!known)
            throw Error("comparison", fmt::format("counter '{}'", rule.name), "a benchmark that has it",
                        "none");
    }
}

void note_one_sided(const ComparedSide& side, const ComparedSide& other, const char* where,
                    std::vector<std::string>& notes) {
    for (const auto& name : side.names)
        if (other.series.count(name) == 0) notes.push_back(fmt::format("only in {}: {}", where, name));
}

ComparisonRow row_of(const std::string& name, const SideSeries& base, const SideSeries& now,
                     const ComparisonOptions& options, LogRatios& ratios) {
    ComparisonRow row;
    row.name = name;
    row.metric = options.metric;
    if (!now.error.empty()) {
        row.broken.push_back(fmt::format("error: {}", now.error));
        return row;
    }
    require_pairs(base, now, name);
    const auto before = metrics_of(base, options.metric, name), after = metrics_of(now, options.metric, name);
    row.base = median(before);
    row.now = median(after);
    ratios = log_ratios(before, after, options.metric.higher_is_better);
    for (const auto& rule : options.counters)
        if (auto broken = broken_rule(rule, base, now); !broken.empty())
            row.broken.push_back(std::move(broken));
    return row;
}

void require_enough(const std::vector<LogRatios>& all, const std::vector<std::string>& names,
                    const DecisionRules& rules) {
    const auto fewest = static_cast<size_t>(fewest_pairs(static_cast<int64_t>(all.size()), rules.alarm_rate));
    for (size_t i = 0; i < all.size(); ++i)
        if (all[i].size() < fewest)
            throw Error("comparison", names[i],
                        fmt::format("at least {} repetitions on each side ({} benchmarks, alarm rate {})",
                                    fewest, all.size(), rules.alarm_rate),
                        std::to_string(all[i].size()));
}

void add_rows(const ComparedSide& base, const ComparedSide& now, const ComparisonOptions& options,
              Comparison& comparison) {
    std::vector<LogRatios> all;
    std::vector<std::string> names;
    std::vector<size_t> rows;
    for (const auto& name : base.names) {
        const auto found = now.series.find(name);
        if (found == now.series.end()) continue;
        const auto& before = base.series.at(name);
        if (!before.error.empty()) {
            comparison.notes.push_back(fmt::format("failed in base: {}: {}", name, before.error));
            continue;
        }
        LogRatios ratios;
        comparison.rows.push_back(row_of(name, before, found->second, options, ratios));
        if (ratios.empty()) continue;
        rows.push_back(comparison.rows.size() - 1);
        names.push_back(name);
        all.push_back(std::move(ratios));
    }
    require_enough(all, names, options.rules);
    const auto decisions = decide(all, options.rules);
    for (size_t i = 0; i < rows.size(); ++i) comparison.rows[rows[i]].decision = decisions[i];
}

}  // namespace

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return 0.5 * (values.at((values.size() - 1) / 2) + values[values.size() / 2]);
}

bool Comparison::fails() const {
    return std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.fails(); });
}

std::string Comparison::summary() const {
    int64_t failing = 0, better = 0, open = 0;
    for (const auto& row : rows) {
        failing += row.fails();
        if (row.fails() || !row.decision) continue;
        better += row.decision->verdict == Verdict::better;
        open += row.decision->verdict == Verdict::need_more_data;
    }
    const auto total = static_cast<int64_t>(rows.size());
    return fmt::format("{} of {} benchmarks worse; {} same, {} better, {} need more data", failing, total,
                       total - failing - better - open, better, open);
}

Comparison compare(const std::vector<BenchmarkFile>& base, const std::vector<BenchmarkFile>& now,
                   const ComparisonOptions& options) {
    if (base.empty() || base.size() != now.size())
        throw Error("comparison", "files",
                    "as many of the base as of the new side (file k of both is round k)",
                    fmt::format("{} and {}", base.size(), now.size()));
    Comparison comparison{options.rules, {}, {}};
    check_contexts(base, now, options.force, comparison.notes);
    const auto before = joined(base), after = joined(now);
    check_rules(options, before, after);
    note_one_sided(before, after, "base", comparison.notes);
    note_one_sided(after, before, "new", comparison.notes);
    add_rows(before, after, options, comparison);
    if (comparison.rows.empty())
        throw Error("comparison", "benchmarks", "at least one that is on both sides",
                    fmt::format("none; base has {}; new has {}", fmt::join(before.names, ", "),
                                fmt::join(after.names, ", ")));
    return comparison;
}

}  // namespace mtlprune::bench
