#include "pruning/criteria/pfp/answer_shares.h"

#include <torch/utils.h>

#include <cmath>
#include <limits>

namespace mtlprune {
namespace {

constexpr double kNoAnswer = std::numeric_limits<float>::epsilon();

/// max over n of a[n,f] / z[n,o] -> [F,O], for a, z that are not negative.
torch::Tensor largest_quotients(const torch::Tensor& a, const torch::Tensor& z) {
    // The logarithm of the largest quotient is a largest difference, which is a distance once all differences
    // are made positive: no [N,F,O] is ever held.
    const double least = 1e-150;
    const auto above = a.clamp_min(least).log().t().contiguous();
    const auto below = z.log().masked_fill(z <= kNoAnswer, -std::log(least)).t().contiguous();
    const auto shift = below.max() - above.min();
    return (at::cdist(above + shift, below, INFINITY) - shift).exp();
}

/// a [N,C,K] and weights [O,C,K], both of one sign.
void add_part(AnswerShares& shares, const torch::Tensor& a, const torch::Tensor& weights) {
    const auto rows = a.flatten(1), by_value = weights.flatten(1).t();
    const auto answers = rows.mm(by_value);
    if (!(answers > kNoAnswer).any().item<bool>()) return;
    const std::vector<int64_t> shape = {a.size(1), a.size(2)};
    const auto largest = (largest_quotients(rows, answers) * by_value).amax(1).view(shape).amax(1);
    shares.largest = torch::maximum(shares.largest, largest);
    const auto inverse = answers.reciprocal().masked_fill(answers <= kNoAnswer, 0.0);
    shares.total = shares.total + (rows.t().mm(inverse) * by_value).sum(1).view(shape).sum(1);
}

}  // namespace

AnswerShares answer_shares(const LayerRows& layer) {
    // Within rounding of 1: the only term of its answer.
    constexpr double kRounding = 1e-6, kNothing = 1e-30;
    const auto none = torch::zeros({layer.rows.size(1)}, layer.rows.options());
    AnswerShares shares{none, none};
    for (const auto& a : {layer.rows.clamp_min(0), (-layer.rows).clamp_min(0)})
        for (const auto& weights : {layer.weights.clamp_min(0), (-layer.weights).clamp_min(0)})
            add_part(shares, a, weights);
    shares.largest = shares.largest.masked_fill(shares.largest > 1 - kRounding, 1.0)
                         .masked_fill(shares.largest < kNothing, 0.0);
    return shares;
}

}  // namespace mtlprune
