#include "bench/kit/memory_peak.h"

#include <fstream>
#include <sstream>
#include <string>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace mtlprune {
namespace {

/// Of /proc/self/status, in bytes.
std::optional<int64_t> status_entry(const std::string& label) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(label)) {
            int64_t kibibytes = 0;
            std::istringstream(line.substr(label.size())) >> kibibytes;
            return kibibytes * 1024;
        }
    return std::nullopt;
}

bool reset_peak() {
    std::ofstream file("/proc/self/clear_refs");
    file << "5" << std::flush;
    return file.good();
}

}  // namespace

std::optional<int64_t> peak_memory_of(const std::function<void()>& run) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
    const auto before = status_entry("VmRSS:");
    const bool is_reset = reset_peak();
    run();
    const auto peak = status_entry("VmHWM:");
    if (!before || !peak || !is_reset) return std::nullopt;
    return *peak - *before;
}

}  // namespace mtlprune
