#include "bench/kit/context.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <fstream>

#include "base/machine.h"
#include "base/revision.h"

namespace mtlprune {
namespace {

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    return std::getline(file, line) ? line : "unknown";
}

/// OpenBLAS says its version and for which processor its kernels are.
std::string blas() {
    using Name = char* (*)();
    // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast)
    const auto config = reinterpret_cast<Name>(dlsym(RTLD_DEFAULT, "openblas_get_config"));
    const auto core = reinterpret_cast<Name>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
    // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
    if (config == nullptr || core == nullptr) return "not OpenBLAS";
    const std::string text = config();
    const auto version = text.substr(0, text.find(' ', text.find(' ') + 1));
    return fmt::format("{}, kernels {}", version, core());
}

}  // namespace

std::map<std::string, std::string> benchmark_context() {
    const auto machine = machine_description();
    std::string gpus;
    for (const auto& gpu : machine.at("gpus")) gpus += (gpus.empty() ? "" : ", ") + gpu.get<std::string>();
    return {{"revision", this_program().revision},
            {"libtorch", machine.at("torch").get<std::string>()},
            {"blas", blas()},
            {"compiler", machine.at("compiler").get<std::string>()},
            {"cpu", machine.at("cpu").get<std::string>()},
            {"gpu", gpus.empty() ? "none" : gpus},
            {"kernel", machine.at("kernel").get<std::string>()},
            {"threads", std::to_string(at::get_num_threads())},
            {"clock_governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
            {"turbo_off", first_line("/sys/devices/system/cpu/intel_pstate/no_turbo")}};
}

}  // namespace mtlprune
