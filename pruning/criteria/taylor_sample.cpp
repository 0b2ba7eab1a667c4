// Taylor importance sample by sample (Molchanov et al., CVPR 2019: the mean of squares instead of the square
// of the mean).
#include <torch/utils.h>

#include <algorithm>

#include "pruning/criteria/pass_criterion.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune {
namespace {

/// Mean over samples of (dL_n/dz)^2, z a gate of 1 on the channel. One backward pass per sample.
class TaylorSample : public PassCriterion {
  public:
    explicit TaylorSample(int64_t samples) : PassCriterion("taylor_sample"), samples_(samples) {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        const int64_t count = std::min(batch.labelled_passes().samples, samples_);
        std::vector<torch::Tensor> sums(batch.asked().size());
        for (int64_t n = 0; n < count; ++n) {
            auto sample = batch;
            {
                const torch::AutoGradMode with_gradients(true);
                add_gradients(sample, {.gradients = true}, batch.passes().losses({n, n + 1}),
                              batch.tensors());
            }
            for (size_t i = 0; i < sums.size(); ++i) {
                const auto square = gate_gradient(sample, i).square() / static_cast<double>(count);
                sums[i] = n == 0 ? square : sums[i] + square;
            }
        }
        return sums;
    }

  private:
    int64_t samples_;
};

}  // namespace

Registry<Criterion>::Entry taylor_sample_criterion() {
    return {
        {.key = "taylor_sample",
         .summary = "squared gradient of a gate on the channel, mean over single samples",
         .paper =
             "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019 (per example)",
         .options = {{"samples", 64, "at most, of every mini-batch: one backward pass per task each"}}},
        [](const nlohmann::json& options) {
            return std::make_unique<TaylorSample>(options.at("samples").get<int64_t>());
        }};
}

}  // namespace mtlprune
