#include "reproduce/runner/machine.h"

#include <sys/utsname.h>
#include <torch/cuda.h>
#include <torch/version.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "reproduce/runner/revision.h"

namespace mtlprune {
namespace {

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
    return "unknown";
}

/// "Model: NVIDIA ..." as the driver states it, per GPU; CUDA's own headers are not needed to build.
std::vector<std::string> gpu_models() {
    std::vector<std::string> models;
    std::error_code absent;
    for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", absent)) {
        std::ifstream file(gpu.path() / "information");
        for (std::string line; std::getline(file, line);)
            if (line.rfind("Model:", 0) == 0) models.push_back(line.substr(line.find_first_not_of(" \t", 6)));
    }
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
