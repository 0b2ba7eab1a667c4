#include "pruning/evidence/loss_curvature.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include "models/layers/convolve.h"

namespace mtlprune {
namespace {

torch::Tensor or_zeros(const torch::Tensor& gradient, const torch::Tensor& parameter) {
    return gradient.defined() ? gradient.detach() : torch::zeros_like(parameter.detach());
}

}  // namespace

LossCurvature::LossCurvature(const Evidence& batch, const std::vector<std::string>& names) : names_(names) {
    const torch::AutoGradMode with_gradients(true);
    const LibraryConvolutions differentiable_twice;
    const auto& passes = batch.labelled_passes();
    const auto loss = torch::stack(passes.losses({0, passes.samples})).sum();
    for (const auto& name : names_) parameters_.push_back(batch.tensors().at(name));
    gradients_ = torch::autograd::grad({loss}, parameters_, {}, /*retain_graph=*/true, /*create_graph=*/true,
                                       /*allow_unused=*/true);
}

ParameterTensors LossCurvature::gradients() const {
    ParameterTensors result;
    for (size_t i = 0; i < names_.size(); ++i) result[names_[i]] = or_zeros(gradients_[i], parameters_[i]);
    return result;
}

ParameterTensors LossCurvature::times(const ParameterTensors& vector) const {
    const torch::AutoGradMode with_gradients(true);
    torch::Tensor product;
    for (size_t i = 0; i < names_.size(); ++i) {
        const auto found = vector.find(names_[i]);
        if (found == vector.end() || !gradients_[i].defined() || !gradients_[i].requires_grad()) continue;
        const auto term = (gradients_[i] * found->second).sum();
        product = product.defined() ? product + term : term;
    }
    std::vector<torch::Tensor> products(names_.size());
    if (product.defined())
        products = torch::autograd::grad({product}, parameters_, {}, /*retain_graph=*/true,
                                         /*create_graph=*/false, /*allow_unused=*/true);
    ParameterTensors result;
    for (size_t i = 0; i < names_.size(); ++i) result[names_[i]] = or_zeros(products[i], parameters_[i]);
    return result;
}

RandomSigns::RandomSigns(const torch::Tensor& values) : zeros_(torch::zeros_like(values.detach())) {
    const auto flat = values.detach().flatten();
    const auto places = flat.nonzero().squeeze(1);
    const auto order =
        std::get<1>(flat.index_select(0, places).sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
    places_ = places.index_select(0, order);
}

torch::Tensor RandomSigns::draw(uint64_t key) const {
    const auto drawn =
        torch::randint(2, {places_.numel()}, at::detail::createCPUGenerator(key), torch::kDouble) * 2 - 1;
    return zeros_.flatten().index_copy(0, places_, drawn.to(zeros_.options())).view(zeros_.sizes());
}

}  // namespace mtlprune
