#include "pruning/criteria/pfp/group_draws.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mtlprune {
namespace {

/// Most sensitive first. Where channels stand in a tensor decides only between equals.
std::vector<int64_t> by_sensitivity(const AnswerShares& shares) {
    const auto largest = shares.largest.contiguous(), total = shares.total.contiguous();
    const double *first = largest.data_ptr<double>(), *second = total.data_ptr<double>();
    std::vector<int64_t> order(static_cast<size_t>(largest.numel()));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return first[a] != first[b] ? first[a] > first[b] : second[a] > second[b];
    });
    return order;
}

/// In the group's order: which channels stay.
std::vector<bool> stays(const GroupDraws& group, const torch::Tensor& kept) {
    std::vector<bool> by_channel(group.order.size(), false), by_rank;
    for (int64_t i = 0; i < kept.numel(); ++i) by_channel[kept[i].item<int64_t>()] = true;
    for (const int64_t c : group.order) by_rank.push_back(by_channel[c]);
    return by_rank;
}

/// Numbers of draws with which these channels stay and no others.
struct DrawRange {
    double low = 1, high = std::numeric_limits<double>::infinity();
};

DrawRange range_of(const GroupDraws& group, const torch::Tensor& kept) {
    const auto staying = stays(group, kept);
    DrawRange range;
    for (size_t j = 0; j < staying.size(); ++j) {
        if (staying[j] && std::isfinite(group.needed[j])) range.low = std::max(range.low, group.needed[j]);
        if (!staying[j]) range.high = std::min(range.high, group.needed[j] - 1);
    }
    return range;
}

/// Draws of which one or more is expected to be this channel.
double sure_from(double share) {
    return share > 0 ? std::ceil(1 / share) : std::numeric_limits<double>::infinity();
}

double score_of(double draws, double coefficient) {
    return std::isfinite(draws) && coefficient > 0 ? std::log10(error_of(draws, coefficient)) : kNoError;
}

}  // namespace

torch::Tensor GroupDraws::scores() const {
    auto scores = torch::empty({static_cast<int64_t>(order.size())}, torch::kDouble);
    for (size_t j = 0; j < order.size(); ++j)
        scores.data_ptr<double>()[order[j]] = score_of(needed[j], coefficient);
    return scores;
}

torch::Tensor GroupDraws::factors(const torch::Tensor& kept, double log_error) const {
    const auto range = range_of(*this, kept);
    if (coefficient == 0 || range.low > range.high) return {};
    const double draws = std::clamp(draws_for(std::pow(10, log_error), coefficient), range.low, range.high);
    const auto counts = draw_counts(shares, first, draws, key + 1);
    const auto is_sure = [&](size_t j) { return rule == DrawRule::hybrid && draws >= sure_from(shares[j]); };
    double drawn = 0, share = 0;  // of those that are left to chance
    for (size_t j = 0; j < order.size(); ++j) {
        if (is_sure(j)) continue;
        drawn += counts[j];
        share += shares[j];
    }
    auto all = torch::ones({static_cast<int64_t>(order.size())}, torch::kDouble);
    for (size_t j = 0; j < order.size(); ++j)
        if (!is_sure(j) && shares[j] > 0) all[order[j]] = counts[j] * share / (drawn * shares[j]);
    return all.index_select(0, kept);
}

GroupDraws group_draws(const GroupSensitivity& group, DrawRule rule, uint64_t key) {
    GroupDraws draws{rule, key, 0, by_sensitivity(group.shares), {}, {}, {}};
    std::vector<double> sensitivities;
    for (const int64_t c : draws.order) sensitivities.push_back(group.shares.largest[c].item<double>());
    draws.coefficient = group.factor * std::accumulate(sensitivities.begin(), sensitivities.end(), 0.0);
    draws.shares = draw_shares(sensitivities);
    // Channels are drawn by their rank: where they stand in a tensor does not matter.
    if (rule != DrawRule::top) draws.first = first_draws(draws.shares, Random(key));
    draws.needed = rule == DrawRule::top ? draws_in_order(draws.shares) : draws.first;
    if (rule == DrawRule::hybrid)
        for (size_t j = 0; j < draws.shares.size(); ++j)
            draws.needed[j] = std::min(draws.needed[j], sure_from(draws.shares[j]));
    return draws;
}

double agreed_error(const std::vector<GroupDraws>& groups, const std::vector<torch::Tensor>& kept) {
    double low = kNoError, high = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < groups.size(); ++i) {
        const auto& group = groups[i];
        const auto range = range_of(group, kept.at(i));
        // The first draw is made at every error.
        if (range.low > 1) high = std::min(high, score_of(range.low, group.coefficient));
        if (group.coefficient > 0) low = std::max(low, score_of(range.high + 1, group.coefficient));
    }
    if (!std::isfinite(high)) return low;
    return low == kNoError ? high : (low + high) / 2;
}

}  // namespace mtlprune
