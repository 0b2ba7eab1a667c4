// Global ranking: the lowest scores of all groups leave, each group keeps a floor.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace mtlprune {

struct SelectionInput {
    std::vector<torch::Tensor> scores;  ///< float64 [C_g], higher = keep
    std::vector<torch::Tensor> alive;   ///< bool [C_g], or empty: all alive
    std::vector<std::string> groups;    ///< names for messages
    std::string criterion;
};

/// Per group the ascending indices of up to `count` channels with the lowest scores; ties by (score, group,
/// index). A group never falls under `floor` alive channels; fewer than `count` are returned when nothing
/// else may leave. NaN scores throw Error naming criterion, group and channel.
std::vector<std::vector<int64_t>> select_lowest(const SelectionInput& input, int64_t count, int64_t floor);

}  // namespace mtlprune
