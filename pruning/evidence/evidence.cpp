#include "pruning/evidence/evidence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"

namespace mtlprune {
namespace {

bool is_whole(const Member& member, int64_t size) {
    if (static_cast<int64_t>(member.indices.size()) != size) return false;
    for (int64_t i = 0; i < size; ++i)
        if (member.indices[i] != i) return false;
    return true;
}

}  // namespace

std::string Needs::text() const {
    std::vector<std::string> parts;
    if (weights) parts.emplace_back("weights");
    if (task_gradients) parts.emplace_back("per-task gradients");
    if (gradients) parts.emplace_back("gradients");
    if (gates) parts.emplace_back("gates");
    if (passes) parts.emplace_back("passes over mini-batches");
    return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

const Passes& Evidence::passes() const {
    if (own_passes == nullptr || !own_passes->outputs)
        throw Error("criterion", "mini-batch", "one on which passes can be run (Passes)", "losses alone");
    return *own_passes;
}

const Passes& Evidence::labelled_passes() const {
    if (!passes().losses)
        throw Error("criterion", "mini-batch", "one with losses of its samples (Passes::losses)", "none");
    return *own_passes;
}

const torch::Tensor& Evidence::value(const Group& group, const Member& member) const {
    const auto found = values_->find(member.tensor);
    if (found == values_->end())
        throw Error("criterion", "group " + group.name, "the tensor " + member.tensor, "none of this name");
    const auto& tensor = found->second;
    const int64_t last =
        member.indices.empty() ? -1 : *std::max_element(member.indices.begin(), member.indices.end());
    const int64_t size = member.dim < tensor.dim() ? tensor.size(member.dim) : 0;
    if (last >= size)
        throw Error(
            "criterion", "group " + group.name,
            fmt::format("{} with more than {} indices in dimension {}", member.tensor, last, member.dim),
            std::to_string(size));
    return tensor;
}

torch::Tensor Evidence::rows(const Member& member, const torch::Tensor& tensor) {
    const auto first = member.dim == 0 ? tensor : tensor.transpose(0, member.dim);
    if (member.per_channel == 1 && is_whole(member, first.size(0))) return first;
    const auto chosen = torch::tensor(member.indices, torch::kLong).to(tensor.device());
    const auto channels = static_cast<int64_t>(member.indices.size()) / member.per_channel;
    const auto slices = first.index_select(0, chosen);
    return member.per_channel == 1 ? slices : slices.reshape({channels, -1});
}

torch::Tensor Evidence::row_sums(const torch::Tensor& rows) {
    return rows.dim() > 1 ? rows.flatten(1).sum(1, false, torch::kDouble) : rows.to(torch::kDouble);
}

void add_gradients(Evidence& evidence, const Needs& needs, const std::vector<torch::Tensor>& losses,
                   const StoredTensors& parameters) {
    std::vector<std::string> names;
    std::vector<torch::Tensor> inputs;
    for (const auto& [name, tensor] : parameters) {
        if (!tensor.requires_grad()) continue;
        names.push_back(name);
        inputs.push_back(tensor);
    }
    std::vector<std::vector<torch::Tensor>> per_task;
    for (const auto& loss : losses)
        per_task.push_back(torch::autograd::grad({loss}, inputs, {}, /*retain_graph=*/true,
                                                 /*create_graph=*/false,
                                                 /*allow_unused=*/true));
    evidence.lasting_gradients = true;
    for (size_t i = 0; i < names.size(); ++i) {
        std::vector<torch::Tensor> tasks;
        torch::Tensor total;
        for (const auto& gradients : per_task) {
            tasks.push_back(gradients[i].defined() ? gradients[i] : torch::zeros_like(inputs[i]));
            if (gradients[i].defined()) total = total.defined() ? total + gradients[i] : gradients[i];
        }
        if (needs.gradients && total.defined()) evidence.gradients[names[i]] = total;
        if (needs.task_gradients && total.defined()) evidence.task_gradients[names[i]] = std::move(tasks);
    }
}

}  // namespace mtlprune
