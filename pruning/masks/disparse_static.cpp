// At initialisation: every task keeps the weights whose masks its loss notices most.
#include <torch/utils.h>

#include <cmath>

#include "base/random.h"
#include "pruning/masks/disparse.h"

namespace mtlprune {
namespace {

/// Normal with variance 2 / (inputs + outputs), times the kernel's area (Glorot and Bengio, 2010).
torch::Tensor xavier(const torch::Tensor& weight, uint64_t key) {
    const auto area = static_cast<double>(weight[0][0].numel());
    const auto fans = static_cast<double>(weight.size(0) + weight.size(1)) * area;
    return torch::empty(weight.sizes(), torch::kDouble)
        .normal_(0.0, std::sqrt(2.0 / fans), at::detail::createCPUGenerator(key))
        .to(weight.options().requires_grad(false));
}

/// A = sum over mini-batches of |w dL/dw|, which is |dL/dm| of masks m = 1; by default of a network with
/// weights drawn anew, whose scale suits all layers.
class StaticDisparse : public ScoredMasking {
  public:
    StaticDisparse(const VoteOptions& options, int64_t batches, bool redraw)
        : ScoredMasking(options, batches), redraw_(redraw) {}

    void begin(const MaskingStart& start) override {
        ScoredMasking::begin(start);
        drawn_.assign(start.weights.size(), {});
        for (size_t i = 0; redraw_ && i < start.weights.size(); ++i)
            drawn_[i] = xavier(start.weights[i].parameter, mix_key(start.seed, Stream::method, i));
    }
    void before_gradients(MaskingBatches& step) override {
        if (!scores(step.iteration)) drawn_.clear();
    }

  protected:
    TaskWeightGradients of_iteration(MaskingGradients& step) override {
        TaskWeightGradients sums;
        for (const auto& batch : step.batches) {
            const auto gradients = step.gradients_at(drawn_, batch);
            sums.resize(gradients.size(), std::vector<torch::Tensor>(step.weights.size()));
            for (size_t t = 0; t < gradients.size(); ++t)
                for (size_t i = 0; i < step.weights.size(); ++i) {
                    const auto& weight = redraw_ ? drawn_[i] : step.weights[i].parameter.detach();
                    const auto score = (weight * gradients[t][i]).abs();
                    sums[t][i] = sums[t][i].defined() ? sums[t][i] + score : score;
                }
        }
        return sums;
    }
    void finish(const std::vector<MaskableWeight>&, std::vector<WeightScores>&) const override {}

  private:
    bool redraw_;
    std::vector<torch::Tensor> drawn_;  ///< undefined: as they are
};

}  // namespace

std::unique_ptr<WeightMasking> static_disparse(const nlohmann::json& options) {
    return std::make_unique<StaticDisparse>(vote_options(options), options.at("batches").get<int64_t>(),
                                            options.at("redraw").get<bool>());
}

}  // namespace mtlprune
