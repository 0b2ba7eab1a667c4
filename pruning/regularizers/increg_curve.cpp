#include "pruning/regularizers/increg_curve.h"

#include <algorithm>
#include <cmath>

namespace mtlprune {

torch::Tensor increg_change(const torch::Tensor& ranks, int64_t missing, double progress,
                            const IncRegCurve& curve) {
    const auto m = static_cast<double>(missing);
    if (curve.scheme == 1) {
        const double a = std::log(2.0 / curve.u) / m, middle = -std::log(curve.u) / a;
        return curve.step * torch::where(ranks < middle, torch::exp(-a * ranks),
                                         2.0 * curve.u - torch::exp(-a * (2.0 * middle - ranks)));
    }
    const int64_t units = ranks.numel();
    const double fall = -std::log(std::max(0.75 * progress, 0.05));
    const double growing = missing == 1 ? 0.0 : fall / (m - 1.0);
    const double shrinking = missing >= units - 1 ? 0.0 : fall / static_cast<double>(units - 1 - missing);
    const auto from_top = static_cast<double>(units - 1) - ranks;
    return curve.step *
           torch::where(ranks < m, torch::exp(-growing * ranks), -torch::exp(-shrinking * from_top));
}

}  // namespace mtlprune
