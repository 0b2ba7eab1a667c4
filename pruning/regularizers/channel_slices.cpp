#include "pruning/regularizers/channel_slices.h"

#include <torch/utils.h>

#include <limits>

namespace mtlprune {
namespace {

/// Makes the slices of members that are trained.
class SlicesFinder {
  public:
    SlicesFinder(const Evidence& evidence, const MaskedIndices& masked)
        : evidence_(evidence), masked_(masked) {}

    std::vector<ChannelSlices> find(const Group& group, const std::vector<ScoredMember>& members) const {
        std::vector<ChannelSlices> slices;
        for (const auto& member : members)
            if (evidence_.value(group, *member.member).requires_grad())
                slices.push_back(slices_of(group, member));
        return slices;
    }

  private:
    ChannelSlices slices_of(const Group& group, const ScoredMember& scored) const {
        const auto& member = *scored.member;
        const auto& parameter = evidence_.value(group, member);
        int64_t weights = member.per_channel;
        for (int64_t d = 0; d < parameter.dim(); ++d)
            if (d != member.dim) weights *= present(member.tensor, parameter, d);
        return {member.tensor,
                parameter,
                member.dim,
                member.per_channel,
                scored.multiplicity,
                torch::tensor(member.indices, torch::kLong).to(parameter.device()),
                present(member.tensor, parameter, member.dim),
                weights};
    }

    int64_t present(const std::string& name, const torch::Tensor& parameter, int64_t dim) const {
        const auto found = masked_.find({name, dim});
        return parameter.size(dim) - (found == masked_.end() ? 0 : found->second.numel());
    }

    const Evidence& evidence_;
    const MaskedIndices& masked_;
};

torch::Tensor infinite(int64_t channels) {
    return torch::full({channels}, std::numeric_limits<double>::infinity(), torch::kDouble);
}

}  // namespace

torch::Tensor ChannelSlices::sums(int p) const {
    auto of_index = parameter;
    if (parameter.dim() > 1) {
        std::vector<int64_t> others;
        for (int64_t d = 0; d < parameter.dim(); ++d)
            if (d != dim) others.push_back(d);
        of_index = at::linalg_vector_norm(parameter, p, others);
    }
    of_index = of_index.index_select(0, indices).to(torch::kDouble).abs();
    if (p == 2) of_index = of_index.square();
    return of_index.view({-1, per_channel}).sum(1);
}

torch::Tensor ChannelSlices::spread(const torch::Tensor& values) const {
    const auto options = parameter.options().requires_grad(false);
    auto along = torch::zeros({parameter.size(dim)}, options);
    along.index_copy_(0, indices, values.to(options).repeat_interleave(per_channel));
    std::vector<int64_t> shape(static_cast<size_t>(parameter.dim()), 1);
    shape[static_cast<size_t>(dim)] = -1;
    return along.view(shape);
}

torch::Tensor ChannelSlices::indices_of(const torch::Tensor& channels) const {
    return indices.view({-1, per_channel}).index_select(0, channels.to(indices.device())).flatten();
}

torch::Tensor ChannelSlices::rows(const torch::Tensor& tensor) const {
    return tensor.transpose(0, dim).index_select(0, indices).reshape({indices.numel() / per_channel, -1});
}

void ChannelSlices::set_rows(const torch::Tensor& rows) const {
    auto view = parameter.transpose(0, dim);
    auto shape = view.sizes().vec();
    shape[0] = indices.numel();
    view.index_copy_(0, indices, rows.to(parameter.scalar_type()).reshape(shape));
}

void ChannelSlices::add_decay(const torch::Tensor& factors) const {
    auto& gradient = parameter.mutable_grad();
    gradient = gradient.defined() ? torch::addcmul(gradient, parameter, spread(factors))
                                  : parameter * spread(factors);
}

void ChannelSlices::clear_gradient(const torch::Tensor& channels) const {
    auto& gradient = parameter.mutable_grad();
    if (gradient.defined()) gradient = gradient.index_fill(dim, indices_of(channels), 0.0);
}

std::vector<const ChannelSlices*> RegularizedGroup::penalised() const {
    std::vector<const ChannelSlices*> all;
    for (const auto* list : {&filters, &readers, &norms})
        for (const auto& slices : *list) all.push_back(&slices);
    return all;
}

torch::Tensor RegularizedGroup::squares() const {
    torch::Tensor sum;
    for (const auto* slices : penalised()) sum = sum.defined() ? sum + slices->sums(2) : slices->sums(2);
    return sum.defined() ? sum : torch::zeros({channels}, torch::kDouble);
}

torch::Tensor RegularizedGroup::importance() const {
    torch::Tensor sum;
    for (const auto& slices : scored) {
        const auto term = slices.sums(2) * static_cast<double>(slices.multiplicity);
        sum = sum.defined() ? sum + term : term;
    }
    if (!sum.defined() || channels == 0) return torch::ones({channels}, torch::kDouble);
    return sum / sum.max().clamp_min(std::numeric_limits<double>::min());
}

torch::Tensor RegularizedGroup::magnitude() const {
    torch::Tensor sum;
    int64_t weights = 0;
    for (const auto& slices : filters.empty() ? own : filters) {
        sum = sum.defined() ? sum + slices.sums(1) : slices.sums(1);
        weights += slices.weights;
    }
    // A frozen group's channels are never the lowest.
    return sum.defined() ? sum / static_cast<double>(weights) : infinite(channels);
}

std::vector<RegularizedGroup> regularized_groups(const Evidence& evidence, const MaskedIndices& masked) {
    const SlicesFinder finder(evidence, masked);
    std::vector<RegularizedGroup> groups;
    for (const size_t g : evidence.asked()) {
        const auto& group = evidence.groups()[g];
        std::vector<ScoredMember> filters, readers, own;
        for (const auto& layer : evidence.scored().layers_of(group))
            (layer.member->role == Role::input ? readers : filters).push_back(layer);
        for (const auto& member : group.members)
            if (member.role != Role::input && !member.is_buffer) own.push_back({&member, 1});
        groups.push_back({group.name, group.channels, finder.find(group, filters),
                          finder.find(group, readers),
                          finder.find(group, evidence.scored().batch_norms_of(group)),
                          finder.find(group, own), finder.find(group, evidence.scored().of(group))});
    }
    return groups;
}

std::vector<torch::Tensor> on_host(const std::vector<torch::Tensor>& tensors) {
    if (tensors.empty()) return {};
    std::vector<int64_t> sizes;
    std::vector<torch::Tensor> together, copies;
    for (const auto& tensor : tensors) {
        sizes.push_back(tensor.numel());
        together.push_back(tensor.to(tensors.back().device()));
    }
    for (const auto& part : torch::cat(together).cpu().split_with_sizes(sizes))
        copies.push_back(part.clone());
    return copies;
}

}  // namespace mtlprune
