#include "base/machine.h"

#include <sys/utsname.h>
#include <torch/cuda.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/revision.h"

namespace mtlprune {
namespace {

/// What stands behind `label` in the lines of a system's file that start with it; nothing where the file
/// cannot be read.
std::vector<std::string> entries_of(const std::filesystem::path& file, const std::string& label) {
    std::vector<std::string> entries;
    std::string text;
    try {
        text = read_file(file);
    } catch (const Error&) {
        return entries;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (const size_t colon = line.find(':'); line.starts_with(label) && colon != std::string::npos)
            entries.push_back(line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size())));
    return entries;
}

std::string cpu_model() {
    const auto models = entries_of("/proc/cpuinfo", "model name");
    return models.empty() ? "unknown" : models.front();
}

/// "Model: NVIDIA ..." as the driver states it, per GPU; CUDA's own headers are not needed to build.
std::vector<std::string> gpu_models() {
    std::vector<std::string> models;
    std::error_code absent;
    for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", absent))
        for (auto& model : entries_of(gpu.path() / "information", "Model:"))
            models.push_back(std::move(model));
    return models;
}

}  // namespace

nlohmann::json machine_description() {
    utsname kernel{};
    ::uname(&kernel);
    const double bytes =
        static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    return {
        {"program", this_program().to_json()},
        {"cpu", cpu_model()},
        {"cores", std::thread::hardware_concurrency()},
        {"memory_gib", std::llround(bytes / (1 << 30))},
        {"kernel", std::string(kernel.sysname) + " " + kernel.release},
        {"compiler", "g++ " __VERSION__},
        {"torch", TORCH_VERSION},
        {"cuda_devices", torch::cuda::is_available() ? static_cast<int64_t>(torch::cuda::device_count()) : 0},
        {"gpus", gpu_models()}};
}

}  // namespace mtlprune
