// Taylor importance of activations (Molchanov et al., ICLR 2017).
#include <torch/autograd.h>
#include <torch/utils.h>

#include "pruning/criteria/layer_watch.h"
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
    std::vector<torch::Tensor> contributions(const Evidence& batch) const override {
        std::vector<LayerCall> calls;
        const auto gradients = input_gradients(batch, calls);
        const torch::NoGradGuard no_grad;
        GroupMeans means(batch.asked().size());
        for (size_t c = 0; c < calls.size(); ++c) {
            if (!gradients[c].defined()) continue;
            auto product = calls[c];
            product.input = calls[c].input * gradients[c];
            for (const auto& [asked, member] : product.uses) {
                if (member->role != Role::input) continue;
                // The loss is a mean over the mini-batch.
                const auto each = channels_read(product, *member).mean(2, false, torch::kDouble) *
                                  static_cast<double>(batch.passes().samples);
                means.add(asked, each.abs().mean(0));
            }
        }
        std::vector<torch::Tensor> all;
        for (size_t i = 0; i < batch.asked().size(); ++i) {
            if (!means.has(i)) throw nothing_of(batch, i, "a convolution or linear layer that reads it");
            all.push_back(means.mean(i));
        }
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
