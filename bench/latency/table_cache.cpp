#include "bench/latency/table_cache.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>

#include "base/atomic_file.h"
#include "base/cache_folder.h"
#include "base/machine.h"
#include "bench/kit/engine.h"

namespace mtlprune {
namespace {

constexpr int kVersion = 1;  ///< raised when tables are measured or written in another way
constexpr int kWarmUps = 2, kRuns = 7;

nlohmann::json key_of(const LayerShape& layer, const LatencySetting& setting) {
    return {{"version", kVersion},        {"engine", setting.engine},
            {"threads", setting.threads}, {"cpu", machine_description().at("cpu")},
            {"torch", TORCH_VERSION},     {"input", layer.input},
            {"weight", layer.weight},     {"stride", layer.stride},
            {"padding", layer.padding},   {"dilation", layer.dilation},
            {"bias", layer.bias}};
}

}  // namespace

double layer_seconds(const LayerShape& layer, const LatencySetting& setting) {
    const auto engine = engines().make(setting.engine);
    const auto subject = engine->prepare({[&] { return layer_model(layer); }, torch::randn(layer.input)});
    std::vector<double> times;
    for (int run = 0; run < kWarmUps + kRuns; ++run) {
        const auto start = std::chrono::steady_clock::now();
        subject->run();
        subject->synchronise();
        if (run >= kWarmUps)
            times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
    return times[kRuns / 2];
}

LatencyTable table_of(const LayerShape& layer, const LatencySetting& setting,
                      const std::filesystem::path& folder, const std::function<void(double)>& on_progress) {
    const auto key = key_of(layer, setting);
    const auto path = folder / (sha256_hex(key.dump()).substr(0, 16) + ".json");
    if (std::filesystem::exists(path)) try {
            const auto stored = nlohmann::json::parse(read_file(path));
            if (stored.at("key") == key) return LatencyTable::from_json(stored.at("table"), path.string());
        } catch (const std::exception&) {  // damaged: measured again
        }
    auto table = measure_table(
        layer, [&](const LayerShape& smaller) { return layer_seconds(smaller, setting); }, on_progress);
    const double change = make_monotone(table);
    std::filesystem::create_directories(folder);
    write_file_atomically(
        path,
        nlohmann::json{{"key", key}, {"table", table.to_json()}, {"largest_correction", change}}.dump(1) +
            "\n");
    return table;
}

std::filesystem::path latency_folder() {
    return cache_folder().value_or(std::filesystem::temp_directory_path() / "mtlprune") / "latency";
}

}  // namespace mtlprune
