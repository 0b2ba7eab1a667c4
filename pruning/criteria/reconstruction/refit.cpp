#include "pruning/criteria/reconstruction/refit.h"

#include <torch/linalg.h>
#include <torch/utils.h>

#include "pruning/evidence/layer_rows.h"

namespace mtlprune {
namespace {

constexpr double kRidge = 1e-10;

/// argmin_v ||a v - y||^2 for a [N,F], y [N,O] -> [F,O], from a^T a and a^T y.
torch::Tensor least_squares(torch::Tensor gram, const torch::Tensor& product) {
    const auto ridge = gram.diagonal().mean().clamp_min(1e-300) * kRidge;
    gram = gram + ridge * torch::eye(gram.size(0), gram.options());
    return torch::linalg::solve(gram, product, /*left=*/true);
}

/// [O,kept,K]
torch::Tensor refit_weights(const LayerRows& layer, const torch::Tensor& kept) {
    const auto answers = torch::einsum("nck,ock->no", {layer.rows, layer.weights});
    const auto a = layer.rows.index_select(1, kept).flatten(1);
    const auto fitted = least_squares(a.t().mm(a), a.t().mm(answers));
    return fitted.t().reshape({layer.weights.size(0), kept.numel(), -1});
}

torch::Tensor refit_scales(const LayerRows& layer, const torch::Tensor& kept) {
    const auto added = torch::einsum("nck,ock->noc", {layer.rows, layer.weights}).flatten(0, 1);
    const auto a = added.index_select(1, kept);
    const auto scales = least_squares(a.t().mm(a), a.t().mm(added.sum(1, /*keepdim=*/true)));
    return layer.weights.index_select(1, kept) * scales.view({1, -1, 1});
}

Repair repair_of(const Evidence& now, const Member& member, const torch::Tensor& kept,
                 const torch::Tensor& weights) {
    Repair repair{member.tensor, member.dim, indices_of(member, kept), {}};
    auto shape = now.tensors().at(member.tensor).sizes().vec();
    const auto count = static_cast<int64_t>(repair.indices.size());
    if (member.dim == 0)
        repair.values = weights.reshape({weights.size(0), count}).t();
    else {
        shape[1] = count;
        repair.values = weights.reshape(shape);
    }
    return repair;
}

}  // namespace

std::vector<Repair> refit_readers(const Evidence& now, const std::vector<torch::Tensor>& kept, Refit which,
                                  int64_t places, uint64_t key) {
    const torch::NoGradGuard no_grad;
    std::vector<Repair> repairs;
    watch_layers(
        now, [&] { now.passes().outputs(now.passes().input); },
        [&](const LayerCall& call) {
            for (const auto& [asked, member] : call.uses) {
                const bool shrinks = kept[asked].numel() < now.groups()[now.asked()[asked]].channels;
                if (member->role != Role::input || !shrinks) continue;
                const auto layer = sample_rows(now, call, *member, places, key);
                const auto chosen = kept[asked].to(layer.rows.device());
                const auto weights =
                    which == Refit::weights ? refit_weights(layer, chosen) : refit_scales(layer, chosen);
                repairs.push_back(repair_of(now, *member, kept[asked], weights));
            }
        });
    return repairs;
}

std::vector<Repair> scale_readers(const Evidence& now, size_t asked, const torch::Tensor& kept,
                                  const torch::Tensor& factors) {
    const auto& group = now.groups()[now.asked()[asked]];
    std::vector<Repair> repairs;
    for (const auto& [member, multiplicity] : now.scored().layers_of(group)) {
        if (member->role != Role::input) continue;
        const auto weight = now.value(group, *member).detach();
        auto indices = indices_of(*member, kept);
        const auto chosen = torch::tensor(indices, torch::kLong).to(weight.device());
        std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
        shape[member->dim] = -1;
        const auto of_indices = factors.repeat_interleave(member->per_channel).to(weight.options());
        repairs.push_back({member->tensor, member->dim, std::move(indices),
                           weight.index_select(member->dim, chosen) * of_indices.view(shape)});
    }
    return repairs;
}

}  // namespace mtlprune
