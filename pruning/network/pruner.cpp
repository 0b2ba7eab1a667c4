#include "pruning/network/pruner.h"

#include <torch/utils.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "pruning/allocation/group_limits.h"
#include "pruning/surgery/surgery.h"

namespace mtlprune {
namespace {

torch::Tensor complement(const std::vector<int64_t>& removed, int64_t count) {
    std::vector<int64_t> kept;
    kept.reserve(static_cast<size_t>(count));
    size_t next = 0;
    for (int64_t i = 0; i < count; ++i) {
        if (next < removed.size() && removed[next] == i)
            ++next;
        else
            kept.push_back(i);
    }
    return torch::tensor(kept, torch::kLong);
}

std::vector<int64_t> to_list(const torch::Tensor& indices) {
    const auto host = indices.to(torch::kCPU, torch::kLong).contiguous();
    return {host.data_ptr<int64_t>(), host.data_ptr<int64_t>() + host.numel()};
}

}  // namespace

Pruner::Pruner(Coupling coupling, std::unique_ptr<Criterion> criterion, AllocationOptions allocation,
               EditKind edit)
    : coupling_(std::move(coupling)),
      criterion_(std::move(criterion)),
      allocation_(std::move(allocation)),
      edit_(edit),
      structure_(coupling_.graph, coupling_.groups),
      groups_(coupling_.groups) {
    if (allocation_.may_empty && edit == EditKind::remove)
        throw Error("pruning", "min_channels", "at least 1 (a layer without channels cannot be removed)",
                    "0");
    asked_ = open_groups(coupling_, groups_, allocation_);
    for (const size_t g : asked_) originals_.push_back(torch::arange(groups_[g].channels));
}

std::vector<int64_t> Pruner::widths() const {
    std::vector<int64_t> widths;
    for (const size_t g : asked_) widths.push_back(groups_[g].channels);
    return widths;
}

bool Pruner::finished() const {
    const auto limits = group_limits(coupling_, groups_, allocation_);
    return std::all_of(asked_.begin(), asked_.end(),
                       [&](size_t g) { return groups_[g].channels <= limits[g].floor; });
}

Evidence Pruner::evidence(const StoredTensors& values) const {
    Evidence evidence(structure_, groups_, asked_, values);
    evidence.originals = originals_;
    return evidence;
}

PruneEvent Pruner::next(const Evidence& now, const AllocationOptions& allocation,
                        const ChooseChannels& choose) {
    auto scores = criterion_->scores(now);
    last_scores_.clear();
    for (const size_t g : asked_) last_scores_.push_back(scores.scores[g]);
    const auto chosen = choose(coupling_, groups_, scores.scores, allocation);
    auto event = event_of_present(chosen.removed);
    event.before = chosen.before;
    event.after = chosen.after;
    event.notes = std::move(scores.notes);
    event.notes.insert(event.notes.end(), chosen.notes.begin(), chosen.notes.end());
    for (auto& remark : criterion_->remarks(last_scores_, event.kept))
        event.notes.push_back(std::move(remark));
    add_repairs(now, event);
    return event;
}

PruneEvent Pruner::event_of(const Evidence& now, const std::vector<std::vector<int64_t>>& originals) {
    const auto scores = criterion_->scores(now);
    last_scores_.clear();
    std::vector<std::vector<int64_t>> removed(groups_.size());
    for (size_t i = 0; i < asked_.size(); ++i) {
        last_scores_.push_back(scores.scores[asked_[i]]);
        const auto present = to_list(originals_[i]);
        for (const int64_t channel : originals.at(i))
            removed[asked_[i]].push_back(std::find(present.begin(), present.end(), channel) -
                                         present.begin());
        std::sort(removed[asked_[i]].begin(), removed[asked_[i]].end());
    }
    auto event = event_of_present(removed);
    auto counts = channel_counts(groups_);
    event.before = cost_of(coupling_, counts);
    for (size_t i = 0; i < asked_.size(); ++i) counts[asked_[i]] = event.widths[i];
    event.after = cost_of(coupling_, counts);
    add_repairs(now, event);
    return event;
}

void Pruner::add_repairs(const Evidence& now, PruneEvent& event) const {
    if (now.own_passes == nullptr) return;
    event.repairs = criterion_->repair(now, event.kept);
    std::set<std::string> names;
    for (const auto& repair : event.repairs) names.insert(repair.tensor);
    event.plan.replaced.assign(names.begin(), names.end());
}

void Pruner::repair(const StoredTensors& tensors, const PruneEvent& event) {
    const torch::NoGradGuard no_grad;
    for (const auto& repair : event.repairs) {
        auto values = tensors.at(repair.tensor).data();
        values.index_copy_(repair.dim, torch::tensor(repair.indices, torch::kLong).to(values.device()),
                           repair.values.to(values.options()));
    }
}

PruneEvent Pruner::event_of_present(const std::vector<std::vector<int64_t>>& removed) {
    PruneEvent event;
    event.plan = make_plan(groups_, removed, edit_);
    for (size_t i = 0; i < asked_.size(); ++i) {
        const auto& leaving = removed[asked_[i]];
        const auto present = to_list(originals_[i]);
        auto& names = event.removed.emplace_back();
        for (const int64_t channel : leaving) names.push_back(present.at(channel));
        event.kept.push_back(complement(leaving, groups_[asked_[i]].channels));
        event.widths.push_back(event.kept.back().numel());
        event.mean_scores.push_back(last_scores_[i].mean().item<double>());
    }
    return event;
}

void Pruner::carried_out(const PruneEvent& event) {
    remove_channels(groups_, event.plan);
    for (size_t i = 0; i < asked_.size(); ++i) originals_[i] = originals_[i].index_select(0, event.kept[i]);
    criterion_->after_event(event.kept);
}

std::map<std::string, torch::Tensor> Pruner::state() const {
    std::map<std::string, torch::Tensor> state;
    for (const auto& [name, tensor] : criterion_->state()) state["criterion." + name] = tensor;
    for (size_t i = 0; i < asked_.size(); ++i) state["original." + std::to_string(i)] = originals_[i];
    return state;
}

void Pruner::load_state(const std::map<std::string, torch::Tensor>& state) {
    const std::string prefix = "criterion.";
    std::map<std::string, torch::Tensor> of_criterion;
    for (const auto& [name, tensor] : state)
        if (name.rfind(prefix, 0) == 0) of_criterion[name.substr(prefix.size())] = tensor;
    criterion_->load_state(of_criterion);
    for (size_t i = 0; i < asked_.size(); ++i) {
        auto& group = groups_[asked_[i]];
        const auto saved = state.at("original." + std::to_string(i)).clone();
        if (edit_ == EditKind::mask) keep_channels(group, to_list(saved));
        if (saved.numel() != group.channels)
            throw Error("pruning state", group.name, std::to_string(group.channels) + " channels",
                        std::to_string(saved.numel()));
        originals_[i] = saved;
    }
}

}  // namespace mtlprune
