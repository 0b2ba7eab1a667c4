// The plan of a gate: how many rounds are measured, and what must happen before it fails.
#pragma once

#include <functional>

#include "bench/compare/decision.h"

namespace mtlprune::bench {

struct GatePlan {
    DecisionRules rules;
    int64_t first = 16;      ///< rounds that every benchmark gets
    int64_t step = 8;        ///< further rounds while a benchmark is undecided
    int64_t most = 32;       ///< rounds of the search, and fresh ones of a confirmation
    double suspicion = 0.1;  ///< one-sided rate, per benchmark and look, at which it becomes a suspect

    /// Throws Error on rules that contradict each other and on fewer rounds than can decide `benchmarks`.
    void check(int64_t benchmarks) const;
};

/// Why rounds are measured: the first look, further ones, or fresh ones for suspects.
enum class GatePhase { search, confirmation };

struct GateResult {
    Decision decision;        ///< of the confirmation, if there was one
    bool suspected = false;   ///< worse in the search
    bool confirmed = false;   ///< worse in fresh rounds too: the gate fails
    int64_t rounds = 0;       ///< of the search
    LogRatios search, fresh;  ///< everything that was measured
};

/// Measures `rounds` rounds of the benchmarks `which`: log(new / base) per benchmark and round.
using MeasureRounds =
    std::function<std::vector<LogRatios>(const std::vector<size_t>& which, int64_t rounds, GatePhase phase)>;

/// Search: `first` rounds of everything, then `step` more of what is undecided, up to `most`. A benchmark is
/// a suspect when the interval at the rate `suspicion` excludes the tolerance for the worse; it is decided
/// when it is a suspect, or when decide() says something. Looking several times makes more suspects, never
/// more alarms: those come from the confirmation alone, `most` fresh rounds, judged once by decide() among
/// the suspects. Whatever the search did, the probability that it fails a suite without a difference is at
/// most the alarm rate.
std::vector<GateResult> run_gate(size_t benchmarks, const GatePlan& plan, const MeasureRounds& measure);

}  // namespace mtlprune::bench
