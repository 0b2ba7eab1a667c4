#include "bench/kit/machine_peak.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <functional>

namespace mtlprune {
namespace {

/// Work per second of the fastest run.
double best_rate(double work, double seconds, const std::function<void()>& run) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    double best = 0;
    do {
        const auto start = Clock::now();
        run();
        best = std::max(best, work / std::chrono::duration<double>(Clock::now() - start).count());
    } while (std::chrono::duration<double>(Clock::now() - begin).count() < seconds);
    return best;
}

}  // namespace

MachinePeak measure_machine_peak(double seconds) {
    const c10::InferenceMode inference;
    constexpr int64_t kSide = 2048, kChannels = 256, kMap = 80, kElements = int64_t{1} << 25;
    const auto a = torch::ones({kSide, kSide}), b = torch::ones({kSide, kSide});
    auto product = torch::empty({kSide, kSide});
    const auto maps = torch::ones({1, kChannels, kMap, kMap}).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto weights =
        torch::ones({kChannels, kChannels, 3, 3}).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto source = torch::ones({kElements});
    auto copy = torch::zeros({kElements});
    MachinePeak peak;
    peak.gemm = best_rate(2.0 * kSide * kSide * kSide, seconds, [&] { at::mm_out(product, a, b); });
    peak.convolution = best_rate(2.0 * 9 * kChannels * kChannels * kMap * kMap, seconds,
                                 [&] { at::conv2d(maps, weights, {}, 1, 1); });
    peak.copy = best_rate(8.0 * kElements, seconds, [&] { copy.copy_(source); });
    return peak;
}

}  // namespace mtlprune
