// GraSP in channel form (Wang et al., Picking Winning Tickets Before Training by Preserving Gradient Flow,
// ICLR 2020).
#include <torch/autograd.h>
#include <torch/utils.h>

#include "models/layers/convolve.h"
#include "pruning/criteria/pass_criterion.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune {
namespace {

/// Gradients of every parameter that requires one, by name; the graph stays when they are to be
/// differentiated.
std::map<std::string, torch::Tensor> named_gradients(const torch::Tensor& loss, const StoredTensors& tensors,
                                                     bool create_graph) {
    std::vector<std::string> names;
    std::vector<torch::Tensor> parameters;
    for (const auto& [name, tensor] : tensors)
        if (tensor.requires_grad()) {
            names.push_back(name);
            parameters.push_back(tensor);
        }
    const auto gradients =
        torch::autograd::grad({loss}, parameters, {}, create_graph, create_graph, /*allow_unused=*/true);
    std::map<std::string, torch::Tensor> result;
    for (size_t i = 0; i < names.size(); ++i)
        if (gradients[i].defined()) result[names[i]] = gradients[i];
    return result;
}

/// w * (H g) of a mini-batch's loss in training mode, summed over a channel's weights; the largest stay.
class GraSP : public PassCriterion {
  public:
    explicit GraSP(bool producers) : PassCriterion("grasp"), producers_(producers) {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        auto now = batch;
        now.gradients = hessian_times_gradient(batch);
        std::vector<torch::Tensor> all;
        torch::Tensor total;
        for (size_t i = 0; i < now.asked().size(); ++i) {
            all.push_back(producers_ ? gate_gradient(now, i) : all_slices(now, i));
            total = total.defined() ? total + all.back().sum() : all.back().sum();
        }
        for (auto& score : all) score = score / (total.abs() + 1e-10);
        return all;
    }

  private:
    static std::map<std::string, torch::Tensor> hessian_times_gradient(const Evidence& batch) {
        const torch::AutoGradMode with_gradients(true);
        const LibraryConvolutions differentiable_twice;
        const auto& passes = batch.labelled_passes();
        const auto mode = passes.in_mode ? passes.in_mode(/*training=*/true) : nullptr;
        const auto loss = torch::stack(passes.losses({0, passes.samples})).sum();
        torch::Tensor product;
        for (const auto& [name, gradient] : named_gradients(loss, batch.tensors(), /*create_graph=*/true)) {
            const auto term = (gradient.detach() * gradient).sum();
            product = product.defined() ? product + term : term;
        }
        return named_gradients(product, batch.tensors(), /*create_graph=*/false);
    }

    torch::Tensor all_slices(const Evidence& now, size_t asked) const {
        const auto& group = now.groups()[now.asked()[asked]];
        torch::Tensor sum = torch::zeros({group.channels}, torch::kDouble);
        for (const auto& [member, multiplicity] : now.scored().of(group))
            if (const auto found = now.gradients.find(member->tensor); found != now.gradients.end())
                sum = sum.to(found->second.device()) + slice_gradient(now, group, *member, found->second);
        return sum;
    }

    bool producers_;
};

}  // namespace

Registry<Criterion>::Entry grasp_criterion() {
    return {
        {.key = "grasp",
         .summary = "weights times the Hessian-gradient product, signed, summed over a channel's slices",
         .paper =
             "Wang et al., Picking Winning Tickets Before Training by Preserving Gradient Flow, ICLR 2020 "
             "(channel form: ours; per mini-batch, without a temperature)",
         .options = {{"producers", false, "only the weights that give the channel (or its batch norm's)"}}},
        [](const nlohmann::json& options) {
            return std::make_unique<GraSP>(options.at("producers").get<bool>());
        }};
}

}  // namespace mtlprune
