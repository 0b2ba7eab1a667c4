// The one display of progress: how much of a long task is done and when it will be finished.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace mtlprune {

/// When lines appear, in seconds.
struct ProgressTimes {
    double first = 5.0;    ///< not on a terminal: nothing before this; a shorter task says nothing
    double every = 20.0;   ///< not on a terminal: between two lines
    double rewrite = 0.5;  ///< on a terminal: between two versions of the line
};

/// Fraction done = cost-weighted mean of the parts' fractions. The estimate extrapolates this run's own
/// speed: what an earlier run had done of a part does not count. On a terminal one line is rewritten;
/// elsewhere a line is printed now and then.
class Progress {
  public:
    /// `costs[i]` is the relative time of part i.
    Progress(std::vector<double> costs, std::ostream& log, bool terminal, ProgressTimes times = {});
    /// On standard error.
    explicit Progress(std::vector<double> costs = {1.0});

    /// fractions[i] in 0..1; `what` says what is under way.
    void update(const std::vector<double>& fractions, const std::string& what);
    /// A task of one part that goes through frames: "checked 120 of 654 frames". The last count is always
    /// printed.
    void count(int64_t done, int64_t total, const std::string& verb);
    /// A line of its own (a part finished, say).
    void message(const std::string& text);

  private:
    double found_done(size_t part, double fraction);
    bool due();
    void print(double fraction, double gained, const std::string& what);

    using Clock = std::chrono::steady_clock;
    std::vector<double> costs_;
    std::ostream& log_;
    bool terminal_;
    ProgressTimes times_;
    double total_ = 0.0;
    std::vector<double> found_done_;  ///< per part, what earlier runs had done of it; negative: not known yet
    bool first_ = true;
    Clock::time_point start_ = Clock::now(), next_;
};

/// "42 s", "3 min 5 s", "2 h 10 min".
std::string duration_text(double seconds);

}  // namespace mtlprune
