#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <iostream>
#include <numeric>

namespace mtlprune {
namespace {

std::chrono::steady_clock::duration seconds_of(double seconds) {
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(seconds));
}

constexpr size_t kLongestLine = 110;

}  // namespace

std::string duration_text(double seconds) {
    const int64_t s = std::llround(seconds);
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

Progress::Progress(std::vector<double> costs, std::ostream& log, bool terminal, ProgressTimes times)
    : costs_(std::move(costs)),
      log_(log),
      terminal_(terminal),
      times_(times),
      found_done_(costs_.size(), -1.0),
      next_(start_ + seconds_of(terminal ? 0.0 : times.first)) {
    total_ = std::accumulate(costs_.begin(), costs_.end(), 1e-12);
}

Progress::Progress(std::vector<double> costs)
    : Progress(std::move(costs), std::cerr, ::isatty(STDERR_FILENO) == 1) {}

/// A resumed part reports nothing until it has read its checkpoint: its first report is earlier work.
double Progress::found_done(size_t part, double fraction) {
    double& found = found_done_[part];
    if (found >= 0.0) return found;
    if (first_) {
        if (fraction > 0.0) found = fraction;
        return fraction;
    }
    if (fraction <= 0.0) return 0.0;
    return found = fraction < 1.0 ? fraction : 0.0;
}

void Progress::update(const std::vector<double>& fractions, const std::string& what) {
    double done = 0.0, gained = 0.0;
    for (size_t i = 0; i < costs_.size(); ++i) {
        done += costs_[i] * fractions.at(i);
        gained += costs_[i] * (fractions[i] - found_done(i, fractions[i]));
    }
    first_ = false;
    if (due()) print(done / total_, gained / total_, what);
}

void Progress::count(int64_t done, int64_t total, const std::string& verb) {
    const bool last = done == total;
    if (!due() && !last) return;
    const auto text = fmt::format("{} {} of {} frames", verb, done, total);
    if (last) return message(text);
    const double fraction = static_cast<double>(done) / static_cast<double>(total);
    print(fraction, fraction, text);
}

bool Progress::due() {
    const auto now = Clock::now();
    if (now < next_) return false;
    next_ = now + seconds_of(terminal_ ? times_.rewrite : times_.every);
    return true;
}

void Progress::print(double fraction, double gained, const std::string& what) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
    const std::string left = gained > 0.002
                                 ? "about " + duration_text(elapsed * (1.0 - fraction) / gained) + " left"
                                 : "estimating the time left";
    const auto line = fmt::format("{:3.0f} %  {}  {}", 100.0 * fraction, left, what);
    if (terminal_)
        log_ << "\r\033[K" << line.substr(0, kLongestLine) << std::flush;
    else
        log_ << line << std::endl;
}

void Progress::message(const std::string& text) {
    if (terminal_) log_ << "\r\033[K";
    log_ << text << std::endl;
}

}  // namespace mtlprune
