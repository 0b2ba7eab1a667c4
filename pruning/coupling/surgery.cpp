#include "pruning/coupling/surgery.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <bitset>
#include <string_view>
#include <unordered_map>

#include "datasets/error.h"
#include "pruning/coupling/gather.h"
#include "pruning/coupling/module_options.h"

namespace mtlprune {
namespace {

NamedTensors tensors_of(const torch::nn::Module& module) {
    NamedTensors tensors;
    for (const auto& item : module.named_parameters()) tensors.parameters.emplace(item.key(), item.value());
    for (const auto& item : module.named_buffers()) tensors.buffers.emplace(item.key(), item.value());
    return tensors;
}

std::string place_of(const Removal& removal) {
    return fmt::format("{} dim {}", removal.tensor, removal.dim);
}

void check_removal(const NamedTensors& tensors, const Removal& removal) {
    const auto& tensor = tensors.at(removal.tensor);
    if (removal.dim < 0 || removal.dim >= tensor.dim())
        throw Error("surgery", place_of(removal), fmt::format("a dimension below {}", tensor.dim()), "none");
    const int64_t size = tensor.size(removal.dim);
    for (size_t i = 0; i < removal.indices.size(); ++i)
        if (removal.indices[i] < 0 || removal.indices[i] >= size ||
            (i > 0 && removal.indices[i] <= removal.indices[i - 1]))
            throw Error("surgery", place_of(removal), fmt::format("ascending indices in 0..{}", size - 1),
                        std::to_string(removal.indices[i]));
    if (static_cast<int64_t>(removal.indices.size()) == size)
        throw Error("surgery", place_of(removal), "at least one index left",
                    fmt::format("all {} removed", size));
}

void check_plan(const NamedTensors& tensors, const Plan& plan) {
    std::unordered_map<std::string_view, std::bitset<64>> pruned;  // dimensions of each tensor
    for (const auto& removal : plan.removed) {
        check_removal(tensors, removal);
        auto& dimensions = pruned[removal.tensor];
        if (dimensions.test(removal.dim))
            throw Error("surgery", place_of(removal), "one list of indices", "two");
        dimensions.set(removal.dim);
    }
}

std::vector<int64_t> kept_indices(const Removal& removal, int64_t size) {
    std::vector<int64_t> kept;
    kept.reserve(size - removal.indices.size());
    auto next = removal.indices.begin();
    for (int64_t index = 0; index < size; ++index) {
        if (next != removal.indices.end() && *next == index)
            ++next;
        else
            kept.push_back(index);
    }
    return kept;
}

/// Gives the tensor its new content under its old identity.
void slice(torch::Tensor tensor, const std::vector<KeptIndices>& kept) {
    auto gradient = tensor.grad();
    tensor.set_data(gather(tensor.detach(), kept));
    if (gradient.defined()) tensor.mutable_grad() = gather(gradient.detach(), kept);
    // A gradient accumulator that some graph still holds remembers the old size.
    if (tensor.requires_grad()) torch::autograd::impl::set_grad_accumulator(tensor, {});
}

/// Per tensor, in the plan's order, what stays along its pruned dimensions.
std::vector<std::pair<std::string, std::vector<KeptIndices>>> kept_by_tensor(const NamedTensors& tensors,
                                                                             const Plan& plan) {
    std::vector<std::pair<std::string, std::vector<KeptIndices>>> result;
    std::unordered_map<std::string, size_t> place;
    for (const auto& removal : plan.removed) {
        const auto [it, is_new] = place.emplace(removal.tensor, result.size());
        if (is_new) result.push_back({removal.tensor, {}});
        const int64_t size = tensors.at(removal.tensor).size(removal.dim);
        result[it->second].second.push_back({removal.dim, kept_indices(removal, size)});
    }
    for (auto& [name, kept] : result)
        std::sort(kept.begin(), kept.end(),
                  [](const KeptIndices& a, const KeptIndices& b) { return a.dim < b.dim; });
    return result;
}

/// The direction of a normalised weight (`name_v` beside a `name_g`): one of zero has no length to divide by.
bool is_direction(const NamedTensors& tensors, const std::string& name) {
    return name.ends_with("_v") && tensors.parameters.count(name.substr(0, name.size() - 1) + "g") > 0;
}

}  // namespace

const torch::Tensor& NamedTensors::at(const std::string& name) const {
    auto found = parameters.find(name);
    if (found != parameters.end()) return found->second;
    found = buffers.find(name);
    if (found == buffers.end())
        throw Error("surgery", name, "a parameter or buffer of the module", "none of this name");
    return found->second;
}

void remove_slices(const NamedTensors& tensors, const Plan& plan, const OnSlice& on_slice) {
    const torch::NoGradGuard no_grad;
    check_plan(tensors, plan);
    for (const auto& [name, kept] : kept_by_tensor(tensors, plan)) {
        const auto& tensor = tensors.at(name);
        slice(tensor, kept);
        if (!on_slice || tensors.parameters.count(name) == 0) continue;
        for (const auto& [dim, indices] : kept)
            on_slice(tensor, dim, torch::tensor(indices, torch::kInt64).to(tensor.device()));
    }
}

void zero_slices(const NamedTensors& tensors, const Plan& plan) {
    const torch::NoGradGuard no_grad;
    check_plan(tensors, plan);
    for (const auto& removal : plan.removed) {
        if (tensors.parameters.count(removal.tensor) == 0 || is_direction(tensors, removal.tensor)) continue;
        auto tensor = tensors.at(removal.tensor);
        tensor.index_fill_(removal.dim, torch::tensor(removal.indices, torch::kInt64).to(tensor.device()), 0);
    }
}

void apply_plan(torch::nn::Module& module, const Plan& plan, const OnSlice& on_slice) {
    remove_slices(tensors_of(module), plan, on_slice);
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
    zero_slices(tensors_of(module), plan);
}

}  // namespace mtlprune
