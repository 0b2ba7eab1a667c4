#include "pruning/criteria/filter_distances.h"

#include <algorithm>

#include "pruning/evidence/evidence.h"

namespace mtlprune {
namespace {

constexpr int64_t kBlockRows = 128;  ///< whose distances stay in the second-level cache
/// |a - b|^2 = |a|^2 + |b|^2 - 2ab loses digits where it is small beside its terms; below this share of them
/// it is computed from a - b.
constexpr double kCancelled = 1e-2;
constexpr int64_t kPairElements = int64_t{1} << 22;  ///< of a - b held at a time

std::vector<double> to_vector(const torch::Tensor& x) {
    const auto values = x.to(torch::kCPU, torch::kFloat64).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

/// Overwrites the squared distances of the pairs [n, 2] (row of a, row of b).
void recompute(torch::Tensor& squares, const torch::Tensor& pairs, const torch::Tensor& a,
               const torch::Tensor& b) {
    const int64_t count = std::max<int64_t>(1, kPairElements / std::max<int64_t>(a.size(1), 1));
    for (const auto& some : pairs.split(count)) {
        const auto i = some.select(1, 0), j = some.select(1, 1);
        const auto difference = a.index_select(0, i).to(torch::kFloat64) - b.index_select(0, j);
        squares.index_put_({i, j}, difference.square().sum(1).to(squares.scalar_type()));
    }
}

/// Of `filters`' rows from `first` to `last` to those from `first` on.
torch::Tensor block_distances(const torch::Tensor& filters, const torch::Tensor& norms, int64_t first,
                              int64_t last) {
    const auto a = filters.slice(0, first, last), b = filters.slice(0, first);
    const auto terms = norms.slice(0, first, last).unsqueeze(1) + norms.slice(0, first).unsqueeze(0);
    auto squares = torch::addmm(terms, a, b.t(), 1, -2);
    squares.diagonal().zero_();
    const auto is_close = squares.lt(terms * kCancelled);
    is_close.diagonal().zero_();
    recompute(squares, is_close.nonzero(), a, b);
    return squares.sqrt_();
}

}  // namespace

/// One half of the symmetric matrix is computed, in blocks.
std::vector<double> distance_sums(const torch::Tensor& filters) {
    const auto all = filters.to(torch::promoteTypes(filters.scalar_type(), torch::kFloat32)).contiguous();
    const auto norms = all.square().sum(1);
    const int64_t count = all.size(0);
    auto sums = torch::zeros({count}, all.options().dtype(torch::kFloat64));
    for (int64_t first = 0; first < count; first += kBlockRows) {
        const int64_t last = std::min(first + kBlockRows, count);
        const auto distances = block_distances(all, norms, first, last);
        sums.slice(0, first, last).add_(distances.sum(1, false, torch::kFloat64));
        sums.slice(0, last).add_(distances.slice(1, last - first).sum(0, false, torch::kFloat64));
    }
    return to_vector(sums);
}

std::vector<double> filter_distances(const Member& member, const torch::Tensor& weight, bool of_squares) {
    const auto filters = weight.detach();
    if (!of_squares) {
        const auto rows = Evidence::rows(member, filters);
        return distance_sums(rows.dim() > 1 ? rows.flatten(1) : rows.unsqueeze(1));
    }
    const auto sums = distance_sums(filters.transpose(0, member.dim).flatten(1).square());
    const auto channels = static_cast<int64_t>(member.indices.size()) / member.per_channel;
    std::vector<double> result(channels);
    for (int64_t c = 0; c < channels; ++c)
        for (const int64_t index : member.channel(c)) result[c] += sums[index];
    return result;
}

}  // namespace mtlprune
