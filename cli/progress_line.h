// One line on standard error that says how far a long command is and how long it will take.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace mtlprune::cli {

/// "checked 120 of 654 frames, 18.3/s, 0:29 left". `seconds` since the start; no rate before the first
/// frame.
std::string progress_text(const std::string& verb, int64_t done, int64_t total, double seconds);

/// On a terminal the line is rewritten a few times a second; elsewhere only the last one is printed.
class ProgressLine {
  public:
    explicit ProgressLine(std::string verb);
    void update(int64_t done, int64_t total);

  private:
    using Clock = std::chrono::steady_clock;

    std::string verb_;
    bool terminal_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point printed_ = {};
};

}  // namespace mtlprune::cli
