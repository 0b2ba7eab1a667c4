#include "pruning/criteria/filter_distances.h"

#include <algorithm>

namespace mtlprune {
namespace {

constexpr int64_t kBlockElements = int64_t{1} << 22;  ///< distances held at a time: 32 MiB

std::vector<double> to_vector(const torch::Tensor& x) {
    const auto values = x.to(torch::kCPU, torch::kFloat64).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

}  // namespace

std::vector<double> distance_sums(const torch::Tensor& filters) {
    const auto all = filters.to(torch::kFloat64);
    const int64_t count = all.size(0),
                  rows = std::max<int64_t>(1, kBlockElements / std::max<int64_t>(count, 1));
    std::vector<torch::Tensor> sums;
    for (int64_t first = 0; first < count; first += rows)
        sums.push_back(torch::cdist(all.slice(0, first, std::min(first + rows, count)), all).sum(1));
    return to_vector(torch::cat(sums));
}

std::vector<double> filter_distances(const Member& member, const torch::Tensor& weight, bool of_squares) {
    const auto slices = weight.detach().transpose(0, member.dim).flatten(1);
    const auto chosen = torch::tensor(member.indices, torch::kLong).to(weight.device());
    const auto channels = static_cast<int64_t>(member.indices.size()) / member.per_channel;
    if (!of_squares) return distance_sums(slices.index_select(0, chosen).reshape({channels, -1}));
    const auto sums = distance_sums(slices.to(torch::kFloat64).square());
    std::vector<double> result(channels);
    for (int64_t c = 0; c < channels; ++c)
        for (const int64_t index : member.channel(c)) result[c] += sums[index];
    return result;
}

}  // namespace mtlprune
