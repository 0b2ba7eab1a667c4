#include "bench/latency/latency_allocation.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "pruning/allocation/shortfall.h"

namespace mtlprune {
namespace {

/// Of one group that may shrink.
struct Ladder {
    size_t group;
    std::vector<int64_t> widths;  ///< descending, from what it has now
    std::vector<double> lost;     ///< sum of the scores that leave on the way to each
    size_t step = 0;
};

std::vector<double> ascending_scores(const torch::Tensor& scores) {
    const auto sorted = std::get<0>(scores.to(torch::kCPU, torch::kDouble).sort()).contiguous();
    return {sorted.data_ptr<double>(), sorted.data_ptr<double>() + sorted.numel()};
}

Ladder ladder_of(size_t group, int64_t channels, int64_t fewest, const torch::Tensor& scores, int64_t liked) {
    Ladder ladder{group, {channels}, {0.0}};
    const auto ascending = ascending_scores(scores);
    const auto add = [&](int64_t width) {
        if (width >= ladder.widths.back() || width < fewest) return;
        double lost = 0;
        for (int64_t c = 0; c < channels - width; ++c) lost += ascending[static_cast<size_t>(c)];
        ladder.widths.push_back(width);
        ladder.lost.push_back(lost);
    };
    for (int64_t width = (channels - 1) / liked * liked; width >= liked; width -= liked) add(width);
    for (int64_t width = liked / 2; width >= 1; width /= 2) add(width);
    add(fewest);
    return ladder;
}

/// The step of a ladder that loses the least per second saved; how much that is.
std::pair<size_t, double> best_step(const Ladder& ladder, std::vector<int64_t> kept, const Predict& predict,
                                    double now) {
    std::pair<size_t, double> best{0, std::numeric_limits<double>::infinity()};
    for (size_t step = ladder.step + 1; step < ladder.widths.size(); ++step) {
        kept[ladder.group] = ladder.widths[step];
        const double saved = now - predict(kept);
        const double price = (ladder.lost[step] - ladder.lost[ladder.step]) / saved;
        if (saved > 0 && price < best.second) best = {step, price};
    }
    return best;
}

std::string escaped(const std::string& name) {
    std::string text;
    for (const char c : name) {
        if (std::string("^$\\.*+?()[]{}|").find(c) != std::string::npos) text += '\\';
        text += c;
    }
    return text;
}

}  // namespace

LatencyAllocation allocate_latency(const Coupling& coupling, const std::vector<torch::Tensor>& scores,
                                   const AllocationOptions& options, const Predict& predict, double budget,
                                   int64_t liked) {
    LatencyAllocation result{channel_counts(coupling.groups)};
    const auto fewest = fewest_channels(coupling, coupling.groups, options);
    result.dense = result.predicted = predict(result.kept);
    result.least = predict(fewest);
    if (budget < result.least)
        throw Error("budget", "latency",
                    fmt::format("at least {:.3g} ms, which every layer at its fewest channels takes",
                                1e3 * result.least),
                    fmt::format("{:.3g} ms", 1e3 * budget));
    std::vector<Ladder> ladders;
    for (const size_t g : open_groups(coupling, coupling.groups, options))
        ladders.push_back(ladder_of(g, result.kept[g], fewest[g], scores.at(g), liked));
    while (result.predicted > budget) {
        Ladder* chosen = nullptr;
        std::pair<size_t, double> best{0, std::numeric_limits<double>::infinity()};
        for (auto& ladder : ladders)
            if (const auto step = best_step(ladder, result.kept, predict, result.predicted);
                step.second < best.second) {
                best = step;
                chosen = &ladder;
            }
        if (chosen == nullptr)
            throw Error("budget", "latency",
                        fmt::format("at least {:.3g} ms: no step makes the network faster than that",
                                    1e3 * result.predicted),
                        fmt::format("{:.3g} ms", 1e3 * budget));
        chosen->step = best.first;
        result.kept[chosen->group] = chosen->widths[best.first];
        result.predicted = predict(result.kept);
    }
    return result;
}

AllocationOptions with_widths(const Coupling& coupling, const std::vector<int64_t>& kept,
                              AllocationOptions options) {
    options.ratios.clear();
    for (const size_t g : open_groups(coupling, coupling.groups, options)) {
        const auto& group = coupling.groups[g];
        const double stays = (static_cast<double>(kept.at(g)) + 0.5) / static_cast<double>(group.channels);
        options.ratios.emplace_back(escaped(group.name), std::max(0.0, 1 - stays));
    }
    options.round_to = 1;
    return options;
}

}  // namespace mtlprune
