#include "pruning/criteria/matrix_rank.h"

#include <torch/linalg.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace mtlprune {

torch::Tensor matrix_ranks(const torch::Tensor& matrices) {
    constexpr int64_t kDoubles = 1 << 23;  // at a time
    const int64_t height = matrices.size(1), width = matrices.size(2), side = std::min(height, width);
    const double tolerance =
        static_cast<double>(std::max(height, width)) * std::numeric_limits<float>::epsilon();
    std::vector<torch::Tensor> ranks;
    for (const auto& part : matrices.split(std::max<int64_t>(1, kDoubles / (height * width)))) {
        const auto x = part.to(torch::kDouble);
        const auto gram = height <= width ? at::bmm(x, x.transpose(1, 2)) : at::bmm(x.transpose(1, 2), x);
        const auto values = at::linalg_eigvalsh(gram).clamp_min(0);  // ascending
        const auto limit = values.select(1, side - 1).unsqueeze(1) * (tolerance * tolerance);
        ranks.push_back((values > limit).sum(1));
    }
    return at::cat(ranks);
}

}  // namespace mtlprune
