#include "pruning/schedules/iterative_pruner.h"

#include <torch/utils.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "pruning/allocation/global_selection.h"
#include "pruning/surgery/surgery.h"
#include "training/optimizer.h"

namespace mtlprune {
namespace {

std::vector<Group> backbone_groups(MultiTaskModel model, const torch::Tensor& example) {
    const auto forward = [&](const std::vector<torch::Tensor>& inputs) {
        return model->forward(inputs.at(0));
    };
    const auto type = model->parameters().front().scalar_type();
    auto coupling = couple(*model, forward, {example.to(type)});
    std::vector<Group> groups;
    for (const size_t g : select_groups(coupling.groups, "backbone\\..*"))
        groups.push_back(std::move(coupling.groups[g]));
    return groups;
}

std::vector<int64_t> to_vector(const torch::Tensor& indices) {
    const auto host = indices.to(torch::kCPU, torch::kLong).contiguous();
    return {host.data_ptr<int64_t>(), host.data_ptr<int64_t>() + host.numel()};
}

torch::Tensor complement(const std::vector<int64_t>& removed, int64_t count) {
    auto keep = torch::ones({count}, torch::kBool);
    for (const int64_t index : removed) keep[index] = false;
    return keep.nonzero().flatten();
}

/// Position of every backbone parameter in the lists of TaskGradients.
std::map<std::string, size_t> parameter_positions(const MultiTaskModel& model) {
    std::map<std::string, size_t> positions;
    for (const auto& item : model->backbone->named_parameters())
        positions.emplace("backbone." + item.key(), positions.size());
    return positions;
}

}  // namespace

IterativePruner::IterativePruner(MultiTaskModel model, const torch::Tensor& example,
                                 std::unique_ptr<Criterion> criterion, IterativePrunerOptions options)
    : model_(std::move(model)),
      criterion_(std::move(criterion)),
      options_(options),
      groups_(backbone_groups(model_, example)) {
    if (options_.floor < (options_.mask ? 0 : 1))
        throw Error("pruning", "floor", "at least 1 (a layer without filters cannot be removed)",
                    std::to_string(options_.floor));
    const auto like = model_->parameters().front().options();
    for (const auto& group : groups_) {
        original_index_.push_back(torch::arange(group.channels));
        // The released loop's update at an event goes through gates already zeroed, so removal needs them
        // too.
        if (options_.mask || criterion_->needs_gates() || options_.fidelity == Fidelity::as_released)
            gates_.push_back(torch::ones({group.channels}, like.requires_grad(criterion_->needs_gates())));
    }
}

torch::Tensor IterativePruner::alive(size_t group) const {
    if (options_.mask) return gates_[group].detach() != 0;
    return torch::ones({groups_[group].channels}, torch::kBool);
}

std::vector<int64_t> IterativePruner::widths() const {
    std::vector<int64_t> widths;
    for (size_t g = 0; g < groups_.size(); ++g) widths.push_back(alive(g).sum().item<int64_t>());
    return widths;
}

bool IterativePruner::finished() const {
    const auto now = widths();
    return std::all_of(now.begin(), now.end(), [&](int64_t width) { return width <= options_.floor; });
}

std::vector<GroupObservation> IterativePruner::observations(
    const std::vector<std::vector<torch::Tensor>>& per_task, const std::vector<torch::Tensor>& total) const {
    const auto positions = parameter_positions(model_);
    const auto parameters = model_->backbone->parameters();
    std::vector<GroupObservation> observed;
    for (size_t g = 0; g < groups_.size(); ++g) {
        GroupObservation observation{groups_[g].name, {}, {}};
        for (const auto& member : groups_[g].members) {
            if (member.role != Role::output) continue;
            const size_t position = positions.at(member.tensor);
            const auto value = parameters[position].detach();
            // A producer's weight comes before its bias.
            if (value.dim() > 1) observation.producers.emplace_back();
            Producer& producer = observation.producers.back();
            (value.dim() > 1 ? producer.weight : producer.bias) = value;
            (value.dim() > 1 ? producer.weight_gradient : producer.bias_gradient) = total[position];
            for (const auto& task : per_task)
                (value.dim() > 1 ? producer.weight_gradients : producer.bias_gradients)
                    .push_back(task[position]);
        }
        if (criterion_->needs_gates()) observation.gate_gradient = total[parameters.size() + g];
        observed.push_back(std::move(observation));
    }
    return observed;
}

torch::Tensor IterativePruner::step(const Batch& batch, torch::optim::Optimizer* optimizer) {
    TaskGradients gradients(model_, batch, options_.fidelity, gates_.empty() ? nullptr : &gates_);
    const bool released = options_.fidelity == Fidelity::as_released;
    std::vector<std::vector<torch::Tensor>> per_task;
    if (criterion_->needs_task_gradients() || released)
        for (size_t t = 0; t < gradients.task_count(); ++t) per_task.push_back(gradients.backbone(t));
    const auto total = per_task.empty() ? gradients.backbone_total() : sum_gradients(per_task);
    criterion_->observe(observations(per_task, total));

    Selection selection;
    const bool prune = due() && !finished();
    if (prune) {
        selection = forced_.empty() ? select() : forced_selection();
        record(selection);
        const torch::NoGradGuard no_grad;
        if (!gates_.empty())
            for (size_t g = 0; g < groups_.size(); ++g)
                for (const int64_t channel : selection.removed[g]) gates_[g].data()[channel] = 0.0;
    }
    if (released) {
        // The released loop steps on last task + total + total again, the latter through gates already
        // zeroed.
        const auto update = prune && !gates_.empty() ? gradients.backbone_total() : total;
        if (criterion_->needs_gates())
            criterion_->observe_update({update.end() - static_cast<int64_t>(groups_.size()), update.end()});
        std::vector<double> head_factors(gradients.task_count(), 2.0);
        head_factors.back() = 3.0;
        gradients.store(sum_gradients({per_task.back(), total, update}), head_factors);
    } else {
        gradients.store(total);
    }
    if (prune) {
        if (options_.mask)
            criterion_->after_event({});
        else
            remove(selection, optimizer);
    }
    ++iteration_;
    return gradients.losses();
}

IterativePruner::Selection IterativePruner::select() const {
    SelectionInput input;
    input.scores = criterion_->scores();
    input.criterion = criterion_->name();
    for (size_t g = 0; g < groups_.size(); ++g) {
        input.groups.push_back(groups_[g].name);
        input.alive.push_back(alive(g));
    }
    Selection selection;
    selection.removed = select_lowest(input, options_.filters_per_event, options_.floor);
    for (size_t g = 0; g < groups_.size(); ++g)
        selection.kept.push_back(complement(selection.removed[g], groups_[g].channels));
    return selection;
}

IterativePruner::Selection IterativePruner::forced_selection() const {
    Selection selection;
    selection.removed = forced_;
    for (size_t g = 0; g < groups_.size(); ++g) {
        const auto original = to_vector(original_index_[g]);
        for (auto& channel : selection.removed[g])
            channel = std::find(original.begin(), original.end(), channel) - original.begin();
        selection.kept.push_back(complement(selection.removed[g], groups_[g].channels));
    }
    return selection;
}

void IterativePruner::record(const Selection& selection) {
    forced_.clear();
    PruneEvent event;
    last_scores_ = criterion_->scores();
    const auto before = widths();
    for (size_t g = 0; g < groups_.size(); ++g) {
        const auto original = to_vector(original_index_[g]);
        auto& removed = event.removed.emplace_back();
        for (const int64_t channel : selection.removed[g]) removed.push_back(original[channel]);
        event.widths.push_back(before[g] - static_cast<int64_t>(removed.size()));
        const auto alive_scores = last_scores_[g].masked_select(alive(g).to(last_scores_[g].device()));
        event.mean_scores.push_back(alive_scores.mean().item<double>());
    }
    events_.push_back(std::move(event));
}

void IterativePruner::remove(const Selection& selection, torch::optim::Optimizer* optimizer) {
    const auto slice = [&](const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept) {
        if (optimizer != nullptr) slice_optimizer_state(*optimizer, parameter, dim, kept);
    };
    const auto plan = apply_plan(*model_, groups_, selection.removed, slice);
    remove_channels(groups_, plan);
    criterion_->after_event(selection.kept);
    for (size_t g = 0; g < groups_.size(); ++g) {
        original_index_[g] = original_index_[g].index_select(0, selection.kept[g]);
        if (gates_.empty()) continue;
        gates_[g] =
            torch::ones({groups_[g].channels}, gates_[g].options().requires_grad(gates_[g].requires_grad()));
    }
}

std::map<std::string, torch::Tensor> IterativePruner::state() const {
    std::map<std::string, torch::Tensor> state;
    for (const auto& [name, tensor] : criterion_->state()) state["criterion." + name] = tensor;
    state["iteration"] = torch::tensor(iteration_);
    for (size_t g = 0; g < groups_.size(); ++g) {
        state["original." + std::to_string(g)] = original_index_[g];
        if (options_.mask) state["gate." + std::to_string(g)] = gates_[g].detach();
    }
    state["events"] = torch::tensor(static_cast<int64_t>(events_.size()));
    for (size_t e = 0; e < events_.size(); ++e) {
        const auto prefix = "event." + std::to_string(e) + ".";
        state[prefix + "widths"] = torch::tensor(events_[e].widths);
        state[prefix + "scores"] = torch::tensor(events_[e].mean_scores, torch::kDouble);
        for (size_t g = 0; g < groups_.size(); ++g)
            state[prefix + "removed." + std::to_string(g)] =
                torch::tensor(events_[e].removed[g], torch::kLong);
    }
    return state;
}

void IterativePruner::load_state(const std::map<std::string, torch::Tensor>& state) {
    const torch::NoGradGuard no_grad;
    std::map<std::string, torch::Tensor> of_criterion;
    const std::string prefix = "criterion.";
    for (const auto& [name, tensor] : state)
        if (name.rfind(prefix, 0) == 0) of_criterion[name.substr(prefix.size())] = tensor;
    criterion_->load_state(of_criterion);
    iteration_ = state.at("iteration").item<int64_t>();
    for (size_t g = 0; g < groups_.size(); ++g) {
        original_index_[g] = state.at("original." + std::to_string(g)).clone();
        if (original_index_[g].numel() != groups_[g].channels)
            throw Error("pruning state", groups_[g].name, std::to_string(groups_[g].channels) + " channels",
                        std::to_string(original_index_[g].numel()));
        if (options_.mask) gates_[g].data().copy_(state.at("gate." + std::to_string(g)));
    }
    events_.clear();
    for (int64_t e = 0; e < state.at("events").item<int64_t>(); ++e) {
        const auto event = "event." + std::to_string(e) + ".";
        PruneEvent read;
        read.widths = to_vector(state.at(event + "widths"));
        const auto scores = state.at(event + "scores").contiguous();
        read.mean_scores.assign(scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel());
        for (size_t g = 0; g < groups_.size(); ++g)
            read.removed.push_back(to_vector(state.at(event + "removed." + std::to_string(g))));
        events_.push_back(std::move(read));
    }
}

}  // namespace mtlprune
