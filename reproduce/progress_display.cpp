#include "reproduce/progress_display.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace mtlprune {

std::string duration_text(double seconds) {
    const int64_t s = std::llround(seconds);
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

ProgressDisplay::ProgressDisplay(std::vector<double> costs, std::ostream& log, bool terminal,
                                 double line_seconds)
    : costs_(std::move(costs)),
      log_(log),
      terminal_(terminal),
      line_seconds_(line_seconds),
      found_done_(costs_.size(), -1.0),
      last_(start_ - std::chrono::hours(1)) {
    total_ = std::accumulate(costs_.begin(), costs_.end(), 1e-12);
}

double ProgressDisplay::found_done(size_t job, double fraction) {
    double& found = found_done_[job];
    if (found >= 0.0) return found;
    if (first_) {
        if (fraction > 0.0) found = fraction;
        return fraction;
    }
    if (fraction <= 0.0) return 0.0;
    return found = fraction < 1.0 ? fraction : 0.0;
}

void ProgressDisplay::update(const std::vector<double>& fractions, const std::string& running) {
    double done = 0.0, gained = 0.0;
    for (size_t i = 0; i < costs_.size(); ++i) {
        done += costs_[i] * fractions.at(i);
        gained += costs_[i] * (fractions[i] - found_done(i, fractions[i]));
    }
    first_ = false;
    const double fraction = done / total_;
    gained /= total_;
    const auto now = Clock::now();
    if (std::chrono::duration<double>(now - last_).count() < (terminal_ ? 0.5 : line_seconds_)) return;
    last_ = now;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const std::string eta = gained > 0.002
                                ? "about " + duration_text(elapsed * (1.0 - fraction) / gained) + " left"
                                : "estimating the time left";
    const auto line = fmt::format("{:3.0f} %  {}  running: {}", 100.0 * fraction, eta, running);
    if (terminal_)
        log_ << "\r\033[K" << line.substr(0, 110) << std::flush;
    else
        log_ << line << std::endl;
}

void ProgressDisplay::message(const std::string& text) {
    if (terminal_) log_ << "\r\033[K";
    log_ << text << std::endl;
}

}  // namespace mtlprune
