// What a pruned network must compute, found without the engine that pruned it.
#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "pruning/surgery/plan.h"

namespace mtlprune::toy {

using TensorMap = std::map<std::string, torch::Tensor>;

/// Squares of all parameters' slices of every channel, summed.
inline std::vector<double> squared_norms(const Group& group, const TensorMap& tensors) {
    std::vector<double> norms(group.channels);
    for (const auto& member : group.members) {
        if (member.is_buffer) continue;
        const auto value = tensors.at(member.tensor).detach().to(torch::kFloat64);
        const auto rows =
            value.transpose(0, member.dim).reshape({value.size(member.dim), -1}).square().sum(1);
        for (int64_t c = 0; c < group.channels; ++c)
            for (const int64_t index : member.channel(c)) norms[c] += rows[index].item<double>();
    }
    return norms;
}

/// The weaker half (rounded down) of the channels of every free group.
inline std::vector<std::vector<int64_t>> weaker_half(const std::vector<Group>& groups,
                                                     const TensorMap& tensors) {
    std::vector<std::vector<int64_t>> removed(groups.size());
    for (size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].frozen) continue;
        const auto norms = squared_norms(groups[g], tensors);
        removed[g].resize(groups[g].channels);
        std::iota(removed[g].begin(), removed[g].end(), 0);
        std::stable_sort(removed[g].begin(), removed[g].end(),
                         [&](int64_t a, int64_t b) { return norms[a] < norms[b]; });
        removed[g].resize(groups[g].channels / 2);
    }
    return removed;
}

/// Sets what the plan removes to zero in the tensors of this map (give it parameters, not running
/// statistics). Of those in `keep_rows` slices of dimension 0 stay.
inline void zero_slices(TensorMap& parameters, const Plan& plan,
                        const std::vector<std::string>& keep_rows = {}) {
    const torch::NoGradGuard no_grad;
    for (const auto& removal : plan.slices) {
        const auto found = parameters.find(removal.tensor);
        const bool kept = std::count(keep_rows.begin(), keep_rows.end(), removal.tensor) > 0;
        if (found == parameters.end() || (kept && removal.dim == 0)) continue;
        found->second.index_fill_(removal.dim, torch::tensor(removal.indices, torch::kInt64), 0);
    }
}

/// Largest difference of any two tensors relative to the largest value; infinite when they do not compare.
inline double relative_error(const std::vector<torch::Tensor>& found,
                             const std::vector<torch::Tensor>& expected) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    if (found.size() != expected.size()) return kInfinite;
    double error = 0, scale = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        if (found[i].sizes() != expected[i].sizes()) return kInfinite;
        const auto a = found[i].to(torch::kFloat64), b = expected[i].to(torch::kFloat64);
        if (!a.isfinite().all().item<bool>()) return kInfinite;
        error = std::max(error, (a - b).abs().max().item<double>());
        scale = std::max(scale, b.abs().max().item<double>());
    }
    return scale > 0 ? error / scale : error;
}

}  // namespace mtlprune::toy
