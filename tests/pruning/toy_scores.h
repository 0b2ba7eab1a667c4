// Scores and names for the tests of allocation.
#pragma once

#include <torch/types.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "pruning/allocation/allocation.h"

namespace mtlprune::toy {

using Scores = std::vector<torch::Tensor>;
using Removed = std::vector<std::vector<int64_t>>;

/// Distinct values for every channel of every group.
inline Scores random_scores(const std::vector<Group>& groups, uint64_t key) {
    Scores scores;
    for (size_t g = 0; g < groups.size(); ++g) {
        Random random(key * 1000 + g);
        auto values = torch::empty({groups[g].channels}, torch::kFloat64);
        for (int64_t c = 0; c < groups[g].channels; ++c) values[c] = random.uniform();
        scores.push_back(values);
    }
    return scores;
}

inline size_t group_number(const std::vector<Group>& groups, const std::string& name) {
    for (size_t g = 0; g < groups.size(); ++g)
        if (groups[g].name == name) return g;
    throw std::out_of_range("no group " + name);
}

inline std::vector<int64_t> kept(const std::vector<Group>& groups, const Removed& removed) {
    std::vector<int64_t> counts;
    for (size_t g = 0; g < groups.size(); ++g)
        counts.push_back(groups[g].channels - static_cast<int64_t>(removed[g].size()));
    return counts;
}

}  // namespace mtlprune::toy
