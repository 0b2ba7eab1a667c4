#include "bench/compare/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/progress.h"
#include "bench/compare/interleaved_rounds.h"

namespace mtlprune::bench {
namespace {

enum Side : size_t { kBase, kNew, kAgain, kPlanted };

/// Everything that was measured of one benchmark.
struct Measurements {
    std::vector<double> base, now;
    LogRatios control, planted;
};

double log_ratio(double base, double now, const Metric& metric) {
    return metric.higher_is_better ? std::log(base / now) : std::log(now / base);
}

class Measuring {
  public:
    Measuring(const GateOptions& options, InterleavedRounds& rounds)
        : options_(options), rounds_(rounds), all_(rounds.benchmarks().size()) {}

    std::vector<LogRatios> operator()(const std::vector<size_t>& which, int64_t count, GatePhase phase) {
        const bool search = phase == GatePhase::search;
        const bool controlled = search && options_.control && !had_control_;
        had_control_ = true;
        const auto of = controlled ? std::vector<size_t>{kBase, kNew, kAgain, kPlanted}
                                   : std::vector<size_t>{kBase, kNew};
        const auto what =
            fmt::format("{} of {} benchmarks", search ? "search" : "confirmation", which.size());
        std::vector<LogRatios> ratios(which.size());
        Progress progress;
        for (int64_t i = 0; i < count; ++i) {
            progress.update({static_cast<double>(i) / static_cast<double>(count)},
                            fmt::format("{}, round {} of {}", what, i + 1, count));
            const auto values = rounds_.round(which, of);
            for (size_t k = 0; k < which.size(); ++k) ratios[k].push_back(keep(values, k, which[k]));
        }
        progress.update({1.0}, what);
        return ratios;
    }

    const std::vector<Measurements>& all() const { return all_; }

  private:
    double keep(const std::vector<std::vector<double>>& values, size_t k, size_t benchmark) {
        const auto& metric = rounds_.metric_of(benchmark);
        auto& own = all_[benchmark];
        own.base.push_back(values[kBase][k]);
        own.now.push_back(values[kNew][k]);
        if (values.size() > kPlanted) {
            own.control.push_back(log_ratio(values[kBase][k], values[kAgain][k], metric));
            own.planted.push_back(log_ratio(values[kNew][k], values[kPlanted][k], metric));
        }
        return log_ratio(values[kBase][k], values[kNew][k], metric);
    }

    const GateOptions& options_;
    InterleavedRounds& rounds_;
    std::vector<Measurements> all_;
    bool had_control_ = false;
};

ComparisonRow row_of_result(const std::string& title, const Metric& metric, const GateResult& result,
                            const Measurements& measured) {
    ComparisonRow row;
    row.name = title;
    row.metric = metric;
    row.base = median(measured.base);
    row.now = median(measured.now);
    row.decision = result.decision;
    if (result.confirmed)
        row.remark = "confirmed in fresh rounds";
    else if (result.suspected)
        row.remark = fmt::format("suspected in {} rounds, not confirmed in fresh ones", result.rounds);
    return row;
}

std::vector<std::string> names_with(const std::vector<Decision>& decisions, Verdict verdict, bool wanted,
                                    const Comparison& comparison) {
    std::vector<std::string> names;
    for (size_t i = 0; i < decisions.size(); ++i)
        if ((decisions[i].verdict == verdict) == wanted) names.push_back(comparison.rows[i].name);
    return names;
}

/// "+4.8 % to +5.3 %"
std::string estimates_text(const std::vector<Decision>& decisions) {
    const auto by_ratio = [](const Decision& a, const Decision& b) { return a.ratio < b.ratio; };
    const auto [least, most] = std::minmax_element(decisions.begin(), decisions.end(), by_ratio);
    return fmt::format("{:+.1f} % to {:+.1f} %", 100 * (least->ratio - 1), 100 * (most->ratio - 1));
}

}  // namespace

std::string GateReport::control_text() const {
    if (control.empty()) return "";
    auto wrong = names_with(control, Verdict::worse, true, comparison);
    const auto better = names_with(control, Verdict::better, true, comparison);
    wrong.insert(wrong.end(), better.begin(), better.end());
    const auto missed = names_with(planted, Verdict::worse, false, comparison);
    const auto text = fmt::format("control: base against itself: {} of {} different ({}){}{}\n", wrong.size(),
                                  control.size(), estimates_text(control),
                                  wrong.empty() ? "" : ", do not trust these: ", fmt::join(wrong, "; "));
    return text + fmt::format(
                      "planted slow-down of {:g} %: {} of {} found ({}){}{}", 100 * planted_share,
                      planted.size() - missed.size(), planted.size(), estimates_text(planted),
                      missed.empty() ? "" : ", this gate would have missed it in: ", fmt::join(missed, "; "));
}

GateReport measure_gate(const GateOptions& options) {
    std::vector<Variant> variants = {{"base", options.base}, {"new", options.now}};
    if (options.control) {
        variants.push_back({"base again", options.base});
        variants.push_back({"new, planted", options.now, options.planted});
    }
    InterleavedRounds rounds(options.suite, variants, options.seed);
    Measuring measuring(options, rounds);
    const auto results = run_gate(rounds.benchmarks().size(), options.plan, std::ref(measuring));
    GateReport report;
    report.planted_share = options.planted;
    report.comparison.rules = options.plan.rules;
    report.comparison.notes = rounds.notes();
    std::vector<LogRatios> control, planted;
    for (size_t i = 0; i < results.size(); ++i) {
        const auto& measured = measuring.all()[i];
        report.comparison.rows.push_back(
            row_of_result(rounds.title(i), rounds.metric_of(i), results[i], measured));
        control.push_back(measured.control);
        planted.push_back(measured.planted);
    }
    if (options.control) {
        report.control = decide(control, options.plan.rules);
        report.planted = decide(planted, options.plan.rules);
    }
    return report;
}

}  // namespace mtlprune::bench
