#include "pruning/surgery/surgery.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "pruning/graph/module_options.h"
#include "pruning/surgery/gather.h"

namespace mtlprune {
namespace {

std::string place_of(const Slices& removal) {
    return fmt::format("{} dim {}", removal.tensor, removal.dim);
}

void check_indices(const Slices& removal, int64_t size) {
    for (size_t i = 0; i < removal.indices.size(); ++i)
        if (removal.indices[i] < 0 || removal.indices[i] >= size ||
            (i > 0 && removal.indices[i] <= removal.indices[i - 1]))
            throw Error("surgery", place_of(removal), fmt::format("ascending indices in 0..{}", size - 1),
                        std::to_string(removal.indices[i]));
    if (static_cast<int64_t>(removal.indices.size()) == size)
        throw Error("surgery", place_of(removal), "at least one index left",
                    fmt::format("all {} removed", size));
}

/// Without branches, which random channels would make the processor mispredict.
std::vector<int64_t> kept_indices(const Slices& removal, int64_t size) {
    std::vector<uint8_t> leaves(size);
    for (const int64_t index : removal.indices) leaves[index] = 1;
    std::vector<int64_t> kept(size);
    size_t count = 0;
    for (int64_t index = 0; index < size; ++index) {
        kept[count] = index;
        count += 1 - leaves[index];
    }
    kept.resize(count);
    return kept;
}

/// What stays of one tensor.
struct Cut {
    const torch::Tensor& tensor;
    bool is_parameter;
    std::vector<KeptIndices> kept;  ///< dimensions ascending
};

/// Per tensor, in the plan's order, what stays of it. Throws Error where the plan does not fit the tensors.
class CutFinder {
  public:
    explicit CutFinder(const NamedTensors& tensors) : tensors_(tensors) {}

    std::vector<Cut> find(const Plan& plan) {
        for (const auto& removal : plan.slices) add(removal, cut_of(removal.tensor));
        return std::move(cuts_);
    }

  private:
    Cut& cut_of(const std::string& name) {
        const auto [it, is_new] = place_.emplace(name, cuts_.size());
        if (is_new) cuts_.push_back({tensors_.at(name), tensors_.parameters.count(name) > 0, {}});
        return cuts_[it->second];
    }

    void add(const Slices& removal, Cut& cut) {
        if (removal.dim < 0 || removal.dim >= cut.tensor.dim())
            throw Error("surgery", place_of(removal), fmt::format("a dimension below {}", cut.tensor.dim()),
                        "none");
        const auto at = std::lower_bound(cut.kept.begin(), cut.kept.end(), removal.dim,
                                         [](const KeptIndices& kept, int64_t dim) { return kept.dim < dim; });
        if (at != cut.kept.end() && at->dim == removal.dim)
            throw Error("surgery", place_of(removal), "one list of indices", "two");
        cut.kept.insert(at, {removal.dim, kept(removal, cut.tensor.size(removal.dim))});
    }

    /// Members of a group follow each other and mostly lose the same indices.
    const std::vector<int64_t>& kept(const Slices& removal, int64_t size) {
        if (last_ == nullptr || size != last_size_ || removal.indices != last_->indices) {
            check_indices(removal, size);
            last_kept_ = kept_indices(removal, size);
            last_ = &removal;
            last_size_ = size;
        }
        return last_kept_;
    }

    const NamedTensors& tensors_;
    std::vector<Cut> cuts_;
    std::unordered_map<std::string_view, size_t> place_;
    const Slices* last_ = nullptr;
    int64_t last_size_ = 0;
    std::vector<int64_t> last_kept_;
};

/// Gives the tensor its new content under its old identity.
void slice(torch::Tensor tensor, const std::vector<KeptIndices>& kept) {
    const auto& gradient = tensor.grad();
    tensor.set_data(gather(tensor, kept));
    if (gradient.defined()) tensor.mutable_grad() = gather(gradient, kept);
    // A gradient accumulator that some graph still holds remembers the old size.
    if (tensor.requires_grad()) torch::autograd::impl::set_grad_accumulator(tensor, {});
}

/// The direction of a normalised weight (`name_v` beside a `name_g`): one of zero has no length to divide by.
bool is_direction(const NamedTensors& tensors, const std::string& name) {
    return name.ends_with("_v") && tensors.parameters.count(name.substr(0, name.size() - 1) + "g") > 0;
}

}  // namespace

NamedTensors named_tensors(const torch::nn::Module& module) {
    NamedTensors tensors;
    for (const auto& item : module.named_parameters()) tensors.parameters.emplace(item.key(), item.value());
    for (const auto& item : module.named_buffers()) tensors.buffers.emplace(item.key(), item.value());
    return tensors;
}

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
    for (const auto& cut : CutFinder(tensors).find(plan)) {
        slice(cut.tensor, cut.kept);
        if (!on_slice || !cut.is_parameter) continue;
        for (const auto& [dim, indices] : cut.kept)
            on_slice(cut.tensor, dim, torch::tensor(indices, torch::kInt64).to(cut.tensor.device()));
    }
}

std::set<std::string> buffers_with_weights(const std::vector<Group>& groups) {
    std::set<std::string> names;
    for (const auto& group : groups)
        for (const auto& member : group.members)
            if (member.is_buffer && member.role == Role::output) names.insert(member.tensor);
    return names;
}

std::vector<Slices> slices_to_zero(const NamedTensors& tensors, const Plan& plan,
                                   const std::set<std::string>& buffers) {
    CutFinder(tensors).find(plan);  // checks it
    std::vector<Slices> zeroed;
    for (const auto& removal : plan.slices) {
        const bool is_weight = tensors.parameters.count(removal.tensor) + buffers.count(removal.tensor) > 0;
        if (is_weight && !is_direction(tensors, removal.tensor)) zeroed.push_back(removal);
    }
    return zeroed;
}

void zero_slices(const NamedTensors& tensors, const Plan& plan, const std::set<std::string>& buffers) {
    const torch::NoGradGuard no_grad;
    for (const auto& slices : slices_to_zero(tensors, plan, buffers)) {
        const auto& tensor = tensors.at(slices.tensor);
        tensor.index_fill_(slices.dim, torch::tensor(slices.indices, torch::kInt64).to(tensor.device()), 0);
    }
}

void apply_plan(torch::nn::Module& module, const Plan& plan, const OnSlice& on_slice) {
    remove_slices(named_tensors(module), plan, on_slice);
    refresh_options(module, plan);
}

Plan apply_plan(torch::nn::Module& module, const std::vector<Group>& groups,
                const std::vector<std::vector<int64_t>>& removed_channels_per_group,
                const OnSlice& on_slice) {
    auto plan = make_plan(groups, removed_channels_per_group);
    apply_plan(module, plan, on_slice);
    return plan;
}

void replay(torch::nn::Module& module, const std::vector<Plan>& steps) {
    std::map<std::pair<std::string, int64_t>, std::set<int64_t>> masked;
    for (const auto& step : steps) {
        if (step.edit == EditKind::remove) {
            apply_plan(module, step);
            continue;
        }
        for (const auto& slices : step.slices)
            masked[{slices.tensor, slices.dim}].insert(slices.indices.begin(), slices.indices.end());
    }
    Plan hidden;
    for (const auto& [place, indices] : masked)
        hidden.slices.push_back({place.first, place.second, {indices.begin(), indices.end()}});
    if (!hidden.slices.empty()) apply_plan(module, hidden);
}

void zero_removed(torch::nn::Module& module, const Plan& plan, const std::set<std::string>& buffers) {
    zero_slices(named_tensors(module), plan, buffers);
}

}  // namespace mtlprune
