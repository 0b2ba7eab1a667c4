// Carries out plans: removes slices of parameters, buffers and gradients in place.
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "pruning/surgery/plan.h"

namespace mtlprune {

/// Called once per pruned dimension, after the parameter has its new size, with the kept indices (int64, on
/// the parameter's device): the place to slice optimiser state. Not called for buffers.
using OnSlice = std::function<void(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept)>;

/// Tensors by name, of a module of any kind.
struct NamedTensors {
    std::unordered_map<std::string, torch::Tensor> parameters, buffers;
    /// Throws Error when there is none of this name.
    const torch::Tensor& at(const std::string& name) const;
};
NamedTensors named_tensors(const torch::nn::Module& module);

/// The slices of parameters and buffers leave; the tensors keep their identity. Throws Error before anything
/// is changed when a tensor, dimension or index does not exist or a dimension would be empty.
void remove_slices(const NamedTensors& tensors, const Plan& plan, const OnSlice& on_slice);

/// Buffers that hold weights (quantised ones, say): they produce channels.
std::set<std::string> buffers_with_weights(const std::vector<Group>& groups);

/// The slices of the plan that a mask sets to zero: those of parameters and of these buffers. Directions of
/// normalised weights (`name_v` beside a `name_g`) are left alone: one of zero has no length to divide by,
/// and its g is zero. Throws Error when a tensor, dimension or index does not exist.
std::vector<Slices> slices_to_zero(const NamedTensors& tensors, const Plan& plan,
                                   const std::set<std::string>& buffers);
void zero_slices(const NamedTensors& tensors, const Plan& plan, const std::set<std::string>& buffers);

/// Removes what the plan names. Parameters keep their identity (TensorImpl), so optimisers and references
/// stay valid; gradients shrink too, and the options of convolutions, linear layers and batch norms follow.
/// Throws Error before anything is changed when a tensor, dimension or index does not exist or a dimension
/// would be empty.
void apply_plan(torch::nn::Module& module, const Plan& plan, const OnSlice& on_slice = {});

/// make_plan, then the above. Call remove_channels(groups, plan) to go on with the same groups.
Plan apply_plan(torch::nn::Module& module, const std::vector<Group>& groups,
                const std::vector<std::vector<int64_t>>& removed_channels_per_group,
                const OnSlice& on_slice = {});

/// Makes a fresh module the one that the steps left of another of its kind: the architecture of a pruned
/// network is its description and its plan. Masks are replayed as the removal of what they hid. Values are
/// the fresh module's.
void replay(torch::nn::Module& module, const std::vector<Plan>& steps);

/// Sets the slices to zero instead, in parameters and in these buffers: computes the same function as the
/// pruned network, for networks without operators that mix channels outside of weights.
void zero_removed(torch::nn::Module& module, const Plan& plan, const std::set<std::string>& buffers = {});

}  // namespace mtlprune
