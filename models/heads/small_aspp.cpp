#include "models/heads/small_aspp.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace mtlprune {

SmallAsppBranchImpl::SmallAsppBranchImpl(int64_t in_channels, int64_t hidden, int64_t out_channels,
                                         int64_t rate, double dropout)
    : conv1(register_module("conv1", same_convolution(in_channels, hidden, 3, rate))),
      conv2(register_module("conv2", same_convolution(hidden, hidden, 1))),
      conv3(register_module("conv3", same_convolution(hidden, out_channels, 1))),
      dropout1(register_module("dropout1", Dropout(dropout))),
      dropout2(register_module("dropout2", Dropout(dropout))) {}

torch::Tensor SmallAsppBranchImpl::forward(const torch::Tensor& features) {
    const auto hidden = dropout1(torch::relu(conv1(features)));
    return conv3(dropout2(torch::relu(conv2(hidden))));
}

SmallAspp::SmallAspp(int64_t in_channels, int64_t hidden, int64_t out_channels, double dropout,
                     const std::vector<int64_t>& rates) {
    if (hidden < 1) throw Error("head", "hidden", "at least 1", std::to_string(hidden));
    if (dropout < 0 || dropout >= 1)
        throw Error("head", "dropout", "a number in [0, 1)", fmt::format("{}", dropout));
    if (rates.empty() || *std::min_element(rates.begin(), rates.end()) < 1)
        throw Error("head", "rates", "at least one dilation of at least 1 each",
                    fmt::format("[{}]", fmt::join(rates, ",")));
    for (const int64_t rate : rates)
        branches.push_back(register_module(
            fmt::format("rate{}", rate), SmallAsppBranch(in_channels, hidden, out_channels, rate, dropout)));
}

torch::Tensor SmallAspp::forward(const FeatureMaps& features) {
    torch::Tensor sum;
    for (auto& branch : branches) {
        const auto out = branch(features.back());
        sum = sum.defined() ? sum + out : out;
    }
    return sum;
}

HeadRegistry::Entry smallaspp_head() {
    return {{.key = "smallaspp",
             .summary = "four dilated branches (rates 1, 2, 4, 6), summed; predicts at the last map's size",
             .paper = "Chen et al., DeepLab, TPAMI 2017; in the main paper: Garg, Zhang, Guan, 2023",
             .options = {{"hidden", 1024, "channels within a branch"},
                         {"dropout", 0.5, "probability of either dropout of a branch"}}},
            [](const nlohmann::json& options, const std::vector<MapShape>& maps, const TaskSpec& task) {
                return std::make_unique<SmallAspp>(maps.back().channels, options.at("hidden").get<int64_t>(),
                                                   task.channels, options.at("dropout").get<double>());
            }};
}

}  // namespace mtlprune
