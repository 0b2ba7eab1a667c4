// Progress of several jobs with an estimate of the time left.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

namespace mtlprune {

/// Fraction done = cost-weighted mean of the jobs' fractions. The estimate extrapolates this run's own speed.
class ProgressDisplay {
  public:
    /// `costs[i]` is the relative time of job i; on a terminal one line is rewritten, elsewhere a line is
    /// printed every `line_seconds`.
    ProgressDisplay(std::vector<double> costs, std::ostream& log, bool terminal, double line_seconds = 20.0);
    /// fractions[i] in 0..1; `running` names what is under way.
    void update(const std::vector<double>& fractions, const std::string& running);
    /// A line of its own (a job finished, say).
    void message(const std::string& text);

  private:
    /// A resumed job reports nothing until it has read its checkpoint: its first report is earlier work.
    double found_done(size_t job, double fraction);

    using Clock = std::chrono::steady_clock;
    std::vector<double> costs_;
    std::ostream& log_;
    bool terminal_;
    double line_seconds_;
    double total_ = 0.0;
    std::vector<double> found_done_;  ///< per job, what earlier runs had done of it; negative: not known yet
    bool first_ = true;
    Clock::time_point start_ = Clock::now(), last_;
};

/// "42 s", "3 min 5 s", "2 h 10 min".
std::string duration_text(double seconds);

}  // namespace mtlprune
