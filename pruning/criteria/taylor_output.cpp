// Taylor importance of activations (Molchanov et al., ICLR 2017).
#include <torch/autograd.h>
#include <torch/utils.h>

#include "pruning/criteria/pass_criterion.h"

namespace mtlprune {
namespace {

/// |mean over positions of a dL_n/da| of what the next layers read, mean over samples; a layer's scores have
/// the length 1 (L2).
class TaylorOutput : public PassCriterion {
  public:
    TaylorOutput() : PassCriterion("taylor_output") {}

    Scores scores(const Evidence& now) const override {
        auto result = PassCriterion::scores(now);
        for (const size_t g : now.asked()) {
            const auto length = result.scores[g].norm();
            result.scores[g] = result.scores[g] / torch::where(length > 0, length, torch::ones_like(length));
        }
        return result;
    }

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        std::vector<LayerCall> calls;
        const auto gradients = input_gradients(batch, calls);
        // The loss is a mean over the mini-batch.
        const auto samples = static_cast<double>(batch.passes().samples);
        const auto of_reader = [&](const LayerCall& call, const Member& member) {
            return channels_read(call, member).mean(2, false, torch::kDouble).abs().mean(0) * samples;
        };
        ReaderMeans means(batch);
        for (size_t c = 0; c < calls.size(); ++c) {
            if (!gradients[c].defined()) continue;
            calls[c].input = calls[c].input * gradients[c];
            means.add(calls[c], of_reader);
        }
        auto all = means.means();
        for (size_t i = 0; i < all.size(); ++i)
            if (!all[i].defined()) throw nothing_of(batch, i, "a convolution or linear layer that reads it");
        return all;
    }

  private:
    /// Of the sum of the losses, with respect to what every watched layer reads: one backward pass.
    static std::vector<torch::Tensor> input_gradients(const Evidence& batch, std::vector<LayerCall>& calls) {
        const torch::AutoGradMode with_gradients(true);
        std::vector<torch::Tensor> losses, inputs;
        watch_layers(
            batch,
            [&] {
                losses = batch.labelled_passes().losses({0, batch.passes().samples});
            },
            [&](const LayerCall& call) {
                if (!call.input.requires_grad()) return;  // the image
                calls.push_back(call);
                inputs.push_back(call.input);
            });
        return torch::autograd::grad({torch::stack(losses).sum()}, inputs, {}, c10::nullopt,
                                     /*create_graph=*/false, /*allow_unused=*/true);
    }
};

}  // namespace

Registry<Criterion>::Entry taylor_output_criterion() {
    return {{.key = "taylor_output",
             .summary =
                 "activations times their gradients where the next layers read them, by the layer's length",
             .paper = "Molchanov et al., Pruning CNNs for Resource Efficient Inference, ICLR 2017"},
            [](const nlohmann::json&) { return std::make_unique<TaylorOutput>(); }};
}

}  // namespace mtlprune
