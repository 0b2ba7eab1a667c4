#include "pruning/coupling/surgery.h"

#include <fmt/format.h>

#include <map>
#include <unordered_map>

#include "datasets/error.h"
#include "pruning/coupling/module_options.h"

namespace mtlprune {
namespace {

using TensorsByName = std::unordered_map<std::string, torch::Tensor>;

TensorsByName tensors_by_name(const torch::nn::Module& module) {
    TensorsByName result;
    for (const auto& item : module.named_parameters()) result.emplace(item.key(), item.value());
    for (const auto& item : module.named_buffers()) result.emplace(item.key(), item.value());
    return result;
}

const torch::Tensor& checked_tensor(const TensorsByName& tensors, const Removal& removal) {
    const auto place = fmt::format("{} dim {}", removal.tensor, removal.dim);
    const auto found = tensors.find(removal.tensor);
    if (found == tensors.end())
        throw Error("surgery", place, "a parameter or buffer of the module", "none of this name");
    if (removal.dim < 0 || removal.dim >= found->second.dim())
        throw Error("surgery", place, fmt::format("a dimension below {}", found->second.dim()), "none");
    const int64_t size = found->second.size(removal.dim);
    for (size_t i = 0; i < removal.indices.size(); ++i)
        if (removal.indices[i] < 0 || removal.indices[i] >= size ||
            (i > 0 && removal.indices[i] <= removal.indices[i - 1]))
            throw Error("surgery", place, fmt::format("ascending indices in 0..{}", size - 1),
                        std::to_string(removal.indices[i]));
    if (static_cast<int64_t>(removal.indices.size()) == size)
        throw Error("surgery", place, "at least one index left", fmt::format("all {} removed", size));
    return found->second;
}

void check_plan(const TensorsByName& tensors, const Plan& plan) {
    std::map<std::pair<std::string, int64_t>, int> uses;
    for (const auto& removal : plan.removed) {
        checked_tensor(tensors, removal);
        if (++uses[{removal.tensor, removal.dim}] > 1)
            throw Error("surgery", fmt::format("{} dim {}", removal.tensor, removal.dim),
                        "one list of indices", "two");
    }
}

torch::Tensor kept_indices(const Removal& removal, int64_t size) {
    auto kept = torch::empty({size - static_cast<int64_t>(removal.indices.size())}, torch::kInt64);
    int64_t* out = kept.data_ptr<int64_t>();
    auto next = removal.indices.begin();
    for (int64_t index = 0; index < size; ++index) {
        if (next != removal.indices.end() && *next == index)
            ++next;
        else
            *out++ = index;
    }
    return kept;
}

torch::Tensor selected(const torch::Tensor& tensor, int64_t dim, const torch::Tensor& kept) {
    return tensor.detach().index_select(dim, kept).contiguous(tensor.suggest_memory_format());
}

/// Gives the tensor its new content under its old identity.
void slice(torch::Tensor tensor, int64_t dim, const torch::Tensor& kept) {
    auto gradient = tensor.grad();
    tensor.set_data(selected(tensor, dim, kept));
    if (gradient.defined()) tensor.mutable_grad() = selected(gradient, dim, kept);
    // A gradient accumulator that some graph still holds remembers the old size.
    if (tensor.requires_grad()) torch::autograd::impl::set_grad_accumulator(tensor, {});
}

}  // namespace

void apply_plan(torch::nn::Module& module, const Plan& plan, const OnSlice& on_slice) {
    const torch::NoGradGuard no_grad;
    const auto tensors = tensors_by_name(module);
    check_plan(tensors, plan);
    const auto parameters = module.named_parameters();
    for (const auto& removal : plan.removed) {
        const auto& tensor = tensors.at(removal.tensor);
        const auto kept = kept_indices(removal, tensor.size(removal.dim)).to(tensor.device());
        slice(tensor, removal.dim, kept);
        if (on_slice && parameters.contains(removal.tensor)) on_slice(tensor, removal.dim, kept);
    }
    refresh_options(module, plan);
}

Plan apply_plan(torch::nn::Module& module, const std::vector<Group>& groups,
                const std::vector<std::vector<int64_t>>& removed_channels_per_group,
                const OnSlice& on_slice) {
    auto plan = make_plan(groups, removed_channels_per_group);
    apply_plan(module, plan, on_slice);
    return plan;
}

void zero_removed(torch::nn::Module& module, const Plan& plan) {
    const torch::NoGradGuard no_grad;
    const auto tensors = tensors_by_name(module);
    check_plan(tensors, plan);
    const auto parameters = module.named_parameters();
    for (const auto& removal : plan.removed) {
        if (!parameters.contains(removal.tensor)) continue;
        auto tensor = tensors.at(removal.tensor);
        tensor.index_fill_(removal.dim, torch::tensor(removal.indices, torch::kInt64).to(tensor.device()), 0);
    }
}

}  // namespace mtlprune
