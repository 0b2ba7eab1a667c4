#include "pruning/masks/task_votes.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>

#include "base/error.h"

namespace mtlprune {
namespace {

torch::Tensor flat(const WeightScores& scores) {
    std::vector<torch::Tensor> parts;
    for (const auto& score : scores)
        if (score.defined()) parts.push_back(score.reshape({-1}));
    return torch::cat(parts);
}

/// A flat tensor in the shapes of `like`.
std::vector<torch::Tensor> shaped(const torch::Tensor& values, const WeightScores& like) {
    std::vector<torch::Tensor> parts;
    int64_t begin = 0;
    for (const auto& score : like) {
        parts.emplace_back();
        if (!score.defined()) continue;
        parts.back() = values.narrow(0, begin, score.numel()).view(score.sizes());
        begin += score.numel();
    }
    return parts;
}

/// How many leave before each: int64, like flat().
torch::Tensor ranks(const torch::Tensor& scores) {
    const auto order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
    auto places = torch::empty_like(order);
    return places.scatter_(0, order, torch::arange(order.numel(), order.options()));
}

/// A task that keeps the share k of its weights keeps those whose value here is at least 1 - k. -1 for a
/// score of 0.
WeightScores rank_shares(const WeightScores& scores) {
    const auto all = flat(scores);
    const auto shares = ranks(all).to(torch::kDouble) / static_cast<double>(all.numel());
    return shaped(shares.masked_fill(all.eq(0), -1.0), scores);
}

/// Per weight the largest 1 - k at which it stays, by the vote of the tasks that reach it.
WeightScores joint_shares(const std::vector<WeightScores>& of_tasks, Vote vote) {
    WeightScores joint;
    for (size_t i = 0; i < of_tasks.front().size(); ++i) {
        std::vector<torch::Tensor> votes;
        for (const auto& task : of_tasks)
            if (task[i].defined()) votes.push_back(task[i]);
        const auto tasks = static_cast<int64_t>(votes.size());
        const int64_t from_below = tasks - keepers_needed(vote, tasks) + 1;
        joint.push_back(std::get<0>(torch::stack(votes).kthvalue(from_below, 0)));
    }
    return joint;
}

void require_numbers(const std::vector<MaskableWeight>& weights, const std::vector<std::string>& tasks,
                     const std::vector<WeightScores>& of_tasks) {
    for (size_t t = 0; t < tasks.size(); ++t)
        for (size_t i = 0; i < weights.size(); ++i)
            if (of_tasks[t][i].defined() && of_tasks[t][i].isnan().any().item<bool>())
                throw Error("weight masks", fmt::format("scores of {} for {}", weights[i].name, tasks[t]),
                            "numbers", "NaN");
}

WeightMasks masks_of(const std::vector<MaskableWeight>& weights, const std::vector<torch::Tensor>& kept) {
    std::vector<LayerMask> layers;
    for (size_t i = 0; i < weights.size(); ++i)
        if (kept[i].defined()) layers.push_back({weights[i].name, weights[i].task, kept[i]});
    return WeightMasks(std::move(layers));
}

/// With the density asked for, and the joint share of the last weight that stays.
struct ByDensity {
    std::vector<torch::Tensor> kept;
    double last = 0.0;
};

ByDensity by_density(const WeightScores& joint, double density) {
    const auto all = flat(joint);
    const auto count = std::llround(density * static_cast<double>(all.numel()));
    if (count < 1)
        throw Error("weight masks", "density", "one that keeps a weight", fmt::format("{}", density));
    auto kept = highest(joint, count);
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = kept[i].logical_and(joint[i].ge(0));
    const auto chosen = all.masked_select(flat(kept));
    if (chosen.numel() == 0) throw Error("weight masks", "scores", "one that is not 0", "none");
    return {std::move(kept), chosen.min().item<double>()};
}

/// How many weights each task keeps.
int64_t count_of(const WeightScores& shares, const std::string& task, const VoteOptions& options,
                 double last) {
    const auto all = flat(shares);
    const auto count = options.keep > 0.0
                           ? static_cast<int64_t>(static_cast<double>(all.numel()) * options.keep)
                           : all.ge(last).sum().item<int64_t>();
    if (count < 1 && options.keep > 0.0)
        throw Error("weight masks", "keep", fmt::format("a share of at least one of {}'s weights", task),
                    fmt::format("{}", options.keep));
    return count;
}

}  // namespace

std::vector<torch::Tensor> highest(const WeightScores& scores, int64_t count) {
    const auto all = flat(scores);
    if (count < 0 || count > all.numel()) throw std::logic_error("highest: a count that there is not");
    return shaped(ranks(all).ge(all.numel() - count), scores);
}

std::vector<torch::Tensor> reaching(const WeightScores& scores, int64_t count) {
    const auto all = flat(scores);
    if (count == 0) return shaped(torch::zeros_like(all, torch::kBool), scores);
    const auto last = std::get<0>(all.kthvalue(all.numel() - count + 1));
    return shaped(all.ge(last), scores);
}

WeightMasks decide(const std::vector<MaskableWeight>& weights, const std::vector<std::string>& tasks,
                   const std::vector<WeightScores>& of_tasks, const VoteOptions& options) {
    require_numbers(weights, tasks, of_tasks);
    std::vector<WeightScores> shares;
    for (const auto& scores : of_tasks) shares.push_back(rank_shares(scores));
    double last = 0.0;
    if (options.keep == 0.0) {
        const auto chosen = by_density(joint_shares(shares, options.vote), options.density);
        if (!options.threshold) return masks_of(weights, chosen.kept);
        last = chosen.last;
    }
    std::vector<WeightMasks> of_each;
    for (size_t t = 0; t < tasks.size(); ++t) {
        const auto count = count_of(shares[t], tasks[t], options, last);
        auto kept = options.threshold ? reaching(of_tasks[t], count) : highest(of_tasks[t], count);
        if (!options.threshold)
            for (size_t i = 0; i < kept.size(); ++i)
                if (kept[i].defined()) kept[i] = kept[i].logical_and(of_tasks[t][i].ne(0));
        of_each.push_back(masks_of(weights, kept));
    }
    return combined(of_each, options.vote);
}

}  // namespace mtlprune
