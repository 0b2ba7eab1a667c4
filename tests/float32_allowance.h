// How far single precision may take a result of the golden network from the exact one, measured in double
// precision.
//
// A dot product of n terms in float32, summed in whatever order, is the exact one of weights that are each
// off by at most n 2^-24, in practice by sqrt(n) 2^-24 (Higham, Accuracy and Stability of Numerical
// Algorithms, 2002, sections 2.8 and 3.1). The golden network's longest sums have n = 9 * 32 terms, sqrt(n) =
// 17. Noise of up to 32 * 2^-24 in every weight hence moves activations and gradients at least as far as any
// processor's kernels do, and near-ties of max-pooling and ReLU that rounding may decide come out either way,
// several times as many as in one float32 run. The allowance is four times the largest change in five draws:
// float32 decides other near-ties than the draws do, and released and present run round independently.
// Without such ties the released values and ours with SSE2 to AVX-512 kernels use a tenth of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/random.h"
#include "tests/golden_data.h"

namespace mtlprune {

constexpr int kNoiseDraws = 5;
constexpr double kWeightNoise = 32.0 / (1 << 24);
constexpr double kAllowedDraws = 4.0;

/// The weights of a float64 model with noise, for as long as this lives. `draw` 0 changes nothing; `step`
/// makes the noise of every mini-batch another one.
class NoisyWeights {
  public:
    NoisyWeights(const PaperModel& model, int draw, int64_t step = 0)
        : parameters_(draw == 0 ? std::vector<torch::Tensor>{} : model->parameters()) {
        Random random(static_cast<uint64_t>(draw), Stream::method, static_cast<uint64_t>(step));
        for (const auto& parameter : parameters_) {
            exact_.push_back(parameter.detach().clone());
            double* weight = parameter.data_ptr<double>();
            for (int64_t i = 0; i < parameter.numel(); ++i)
                weight[i] *= 1.0 + random.uniform(-kWeightNoise, kWeightNoise);
        }
    }
    ~NoisyWeights() {
        for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].detach().copy_(exact_[i]);
    }
    NoisyWeights(const NoisyWeights&) = delete;
    NoisyWeights& operator=(const NoisyWeights&) = delete;

  private:
    std::vector<torch::Tensor> parameters_, exact_;
};

/// The golden network in double precision.
inline PaperModel golden_double_model() {
    auto model = golden_model();
    model->to(torch::kDouble);
    return model;
}

/// Batch k with its image in double precision.
inline Batch golden_double_batch(int k) {
    auto batch = golden_batch(k);
    batch.image = batch.image.to(torch::kDouble);
    return batch;
}

/// Exact results and the same from every draw of noise.
struct DrawnResults {
    TensorMap exact;
    std::vector<TensorMap> draws;

    /// Largest absolute difference from exact that single precision may make in this result.
    double allowance(const std::string& name) const {
        double change = 0.0;
        for (const auto& draw : draws)
            change = std::max(change, (draw.at(name) - exact.at(name)).abs().max().item<double>());
        return kAllowedDraws * change;
    }
};

/// Runs `compute` once per draw; it names its results, float64 tensors.
inline DrawnResults drawn_results(const std::function<TensorMap(int draw)>& compute) {
    DrawnResults results{compute(0), {}};
    for (int draw = 1; draw <= kNoiseDraws; ++draw) results.draws.push_back(compute(draw));
    return results;
}

/// The same for what one forward or backward pass of the golden network gives.
inline DrawnResults drawn_results_of_model(const std::function<TensorMap(PaperModel& model)>& compute) {
    return drawn_results([&](int draw) {
        auto model = golden_double_model();
        const NoisyWeights noise(model, draw);
        return compute(model);
    });
}

/// Checks that `found` is the exact result `name` but for single precision.
inline void expect_as_drawn(const DrawnResults& results, const std::string& name,
                            const torch::Tensor& found) {
    const auto& exact = results.exact.at(name);
    ASSERT_EQ(found.sizes(), exact.sizes()) << name;
    const double allowance = results.allowance(name);
    const double error = (found.to(torch::kDouble) - exact).abs().max().item<double>();
    EXPECT_LE(error, allowance) << name << ", largest value " << exact.abs().max().item<double>();
}

}  // namespace mtlprune
