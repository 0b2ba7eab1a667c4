// SynFlow in channel form (Tanaka et al., Pruning neural networks without any data, NeurIPS 2020).
#include <torch/autograd.h>
#include <torch/utils.h>

#include "pruning/criteria/pass_criterion.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune {
namespace {

/// The absolute value of every parameter in float64 and neutral statistics, as long as it lives: products of
/// many absolute weights leave the range of float32.
class AbsoluteNetwork {
  public:
    explicit AbsoluteNetwork(const StoredTensors& tensors) {
        const torch::NoGradGuard no_grad;
        for (const auto& [name, tensor] : tensors) {
            if (!tensor.is_floating_point()) continue;
            saved_.emplace_back(tensor, tensor.data());
            torch::Tensor(tensor).set_data(absolute(name, tensor.data().to(torch::kDouble)));
        }
    }
    AbsoluteNetwork(const AbsoluteNetwork&) = delete;
    AbsoluteNetwork& operator=(const AbsoluteNetwork&) = delete;
    ~AbsoluteNetwork() {
        for (auto& [tensor, data] : saved_) tensor.set_data(data);
    }

  private:
    /// Statistics of batch norms would break the conservation of the flow.
    static torch::Tensor absolute(const std::string& name, const torch::Tensor& values) {
        if (name.ends_with("running_mean")) return torch::zeros_like(values);
        if (name.ends_with("running_var")) return torch::ones_like(values);
        return values.abs();
    }

    std::vector<std::pair<torch::Tensor, torch::Tensor>> saved_;
};

/// |dR/dz| of a gate z on the channel, R the sum of what the absolute network makes of an image of ones.
class SynFlow : public PassCriterion {
  public:
    SynFlow() : PassCriterion("synflow") {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        const AbsoluteNetwork absolute(batch.tensors());
        auto now = batch;
        add_gradients(now, {.gradients = true}, {flow(batch.passes())}, batch.tensors());
        std::vector<torch::Tensor> all;
        for (size_t i = 0; i < now.asked().size(); ++i) all.push_back(gate_gradient(now, i).abs());
        return all;
    }

  private:
    static torch::Tensor flow(const Passes& passes) {
        const torch::AutoGradMode with_gradients(true);
        auto shape = passes.input.sizes().vec();
        shape[0] = 1;
        torch::Tensor sum;
        for (const auto& output :
             passes.outputs(torch::ones(shape, passes.input.options().dtype(torch::kDouble))))
            sum = sum.defined() ? sum + output.sum() : output.sum();
        return sum;
    }
};

}  // namespace

Registry<Criterion>::Entry synflow_criterion() {
    return {
        {.key = "synflow",
         .summary = "gradient of a gate in the network of absolute weights on an image of ones; needs a "
                    "mini-batch's shape, not its values",
         .paper =
             "Tanaka et al., Pruning neural networks without any data, NeurIPS 2020 (channel form: ours)"},
        [](const nlohmann::json&) { return std::make_unique<SynFlow>(); }};
}

}  // namespace mtlprune
