#include "cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <iostream>

namespace mtlprune::cli {

std::string progress_text(const std::string& verb, int64_t done, int64_t total, double seconds) {
    std::string text = fmt::format("{} {} of {} frames", verb, done, total);
    if (done == 0 || !(seconds > 0)) return text;
    const double rate = static_cast<double>(done) / seconds;
    text += fmt::format(", {:.1f}/s", rate);
    if (done == total) return text;
    const auto left = static_cast<int64_t>(std::ceil(static_cast<double>(total - done) / rate));
    return text + fmt::format(", {}:{:02} left", left / 60, left % 60);
}

ProgressLine::ProgressLine(std::string verb)
    : verb_(std::move(verb)), terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::update(int64_t done, int64_t total) {
    const auto now = Clock::now();
    const bool last = done == total;
    if (!last && (!terminal_ || now - printed_ < std::chrono::milliseconds(200))) return;
    printed_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const auto text = progress_text(verb_, done, total, seconds);
    if (terminal_)
        std::cerr << "\r\033[K" << text << (last ? "\n" : "") << std::flush;
    else
        std::cerr << text << "\n";
}

}  // namespace mtlprune::cli
