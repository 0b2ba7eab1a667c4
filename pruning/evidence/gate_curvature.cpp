#include "pruning/evidence/gate_curvature.h"

#include <torch/utils.h>

#include <set>

#include "pruning/criteria/taylor.h"

namespace mtlprune {
namespace {

std::vector<std::string> names_of_gates(const Evidence& batch) {
    std::set<std::string> names;
    for (const size_t number : batch.asked())
        for (const Member* member : batch.gate_members(number))
            if (batch.tensors().at(member->tensor).requires_grad()) names.insert(member->tensor);
    return {names.begin(), names.end()};
}

/// Of gradients by the names of parameters.
OfGates along_gates(Evidence evidence, const ParameterTensors& gradients) {
    evidence.gradients = gradients;
    OfGates all;
    for (size_t i = 0; i < evidence.asked().size(); ++i) all.push_back(gate_gradient(evidence, i));
    return all;
}

/// A channel's slices times the channel's number, 0 elsewhere.
torch::Tensor scaled_slices(const torch::Tensor& weight, const Member& member, const torch::Tensor& numbers) {
    auto factors = torch::zeros({weight.size(member.dim)}, weight.options());
    factors.index_copy_(0, torch::tensor(member.indices, torch::kLong).to(weight.device()),
                        numbers.repeat_interleave(member.per_channel).to(weight.options()));
    std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
    shape[member.dim] = -1;
    return weight * factors.view(shape);
}

}  // namespace

GateCurvature::GateCurvature(const Evidence& batch)
    : now_(batch),
      curvature_(batch, names_of_gates(batch)),
      gradients_(along_gates(batch, curvature_.gradients())) {}

OfGates GateCurvature::times(const OfGates& vector) const {
    ParameterTensors moved;
    for (size_t i = 0; i < vector.size(); ++i) {
        const size_t number = now_.asked()[i];
        const auto& group = now_.groups()[number];
        for (const Member* member : now_.gate_members(number)) {
            const auto weight = now_.value(group, *member).detach();
            const auto own = scaled_slices(weight, *member, vector[i]);
            const auto [found, is_new] = moved.emplace(member->tensor, own);
            if (!is_new) found->second = found->second + own;
        }
    }
    return along_gates(now_, curvature_.times(moved));
}

}  // namespace mtlprune
