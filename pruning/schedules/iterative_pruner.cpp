#include "pruning/schedules/iterative_pruner.h"

#include <torch/utils.h>

#include "base/error.h"
#include "training/optimizer.h"

namespace mtlprune {
namespace {

ModuleNetwork network_of(MultiTaskModel model, const torch::Tensor& example) {
    const auto type = model->parameters().front().scalar_type();
    return {
        *model,
        [model](const std::vector<torch::Tensor>& inputs) mutable { return model->forward(inputs.at(0)); },
        {example.to(type)}};
}

/// Reads what a JSON list of numbers was; null is NaN.
std::vector<double> numbers_of(const nlohmann::json& list) {
    std::vector<double> numbers;
    for (const auto& value : list)
        numbers.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
    return numbers;
}

torch::Tensor text_of(const std::vector<PruneEvent>& events) {
    auto list = nlohmann::json::array();
    for (const auto& event : events)
        list.push_back({{"plan", plan_to_json(event.plan)},
                        {"removed", event.removed},
                        {"widths", event.widths},
                        {"mean_scores", event.mean_scores}});
    const auto text = list.dump();
    return torch::from_blob(const_cast<char*>(text.data()), {static_cast<int64_t>(text.size())},
                            torch::kUInt8)
        .clone();
}

std::vector<PruneEvent> events_of(const torch::Tensor& text) {
    const auto bytes = text.contiguous();
    const char* begin = reinterpret_cast<const char*>(bytes.data_ptr<uint8_t>());
    std::vector<PruneEvent> events;
    for (const auto& item : nlohmann::json::parse(begin, begin + bytes.numel())) {
        PruneEvent event;
        event.plan = plan_from_json(item.at("plan"), "pruning state: events");
        event.removed = item.at("removed").get<std::vector<std::vector<int64_t>>>();
        event.widths = item.at("widths").get<std::vector<int64_t>>();
        event.mean_scores = numbers_of(item.at("mean_scores"));
        events.push_back(std::move(event));
    }
    return events;
}

}  // namespace

AllocationOptions lowest_of_backbone(int64_t filters, int64_t floor) {
    AllocationOptions options;
    options.scope = RankingScope::global;
    options.budget = {BudgetUnit::count, static_cast<double>(filters)};
    options.only = {"backbone\\..*"};
    options.min_channels = floor;
    options.may_empty = floor == 0;
    return options;
}

IterativePruner::IterativePruner(MultiTaskModel model, const torch::Tensor& example,
                                 std::unique_ptr<Criterion> criterion, IterativePrunerOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      network_(network_of(model_, example)),
      pruner_(network_.couple({}), std::move(criterion), options_.allocation, options_.edit),
      tensors_(network_.tensors()) {
    for (const auto& item : model_->backbone->named_parameters())
        backbone_names_.push_back("backbone." + item.key());
    const bool needs_gates = pruner_.criterion().needs().gates;
    // The released loop's update at an event goes through gates already zeroed, so removal needs them too.
    if (!is_mask() && !needs_gates && options_.fidelity == Fidelity::corrected) return;
    const auto like = model_->parameters().front().options();
    for (const int64_t width : pruner_.widths())
        gates_.push_back(torch::ones({width}, like.requires_grad(needs_gates)));
}

std::vector<Group> IterativePruner::groups() const {
    std::vector<Group> groups;
    for (const size_t g : pruner_.asked()) groups.push_back(pruner_.groups()[g]);
    return groups;
}

std::vector<torch::Tensor> IterativePruner::gate_gradients(
    const std::vector<torch::Tensor>& gradients) const {
    std::vector<torch::Tensor> of_gates(
        gradients.begin() + static_cast<std::ptrdiff_t>(backbone_names_.size()), gradients.end());
    if (is_mask())
        for (size_t g = 0; g < of_gates.size(); ++g)
            of_gates[g] = of_gates[g].index_select(0, pruner_.originals()[g].to(of_gates[g].device()));
    return of_gates;
}

void IterativePruner::observe(const std::vector<std::vector<torch::Tensor>>& per_task,
                              const std::vector<torch::Tensor>& total) {
    const auto needs = pruner_.criterion().needs();
    if (!needs.data()) return;
    auto evidence = pruner_.evidence(tensors_);
    for (size_t i = 0; i < backbone_names_.size(); ++i) {
        if (needs.gradients) evidence.gradients[backbone_names_[i]] = total[i];
        if (!needs.task_gradients) continue;
        auto& tasks = evidence.task_gradients[backbone_names_[i]];
        for (const auto& task : per_task) tasks.push_back(task[i]);
    }
    if (needs.gates) evidence.gate_gradients = gate_gradients(total);
    pruner_.criterion().observe(evidence);
}

torch::Tensor IterativePruner::step(const Batch& batch, torch::optim::Optimizer* optimizer) {
    TaskGradients gradients(model_, batch, options_.fidelity, gates_.empty() ? nullptr : &gates_);
    const bool released = options_.fidelity == Fidelity::as_released;
    const auto needs = pruner_.criterion().needs();
    std::vector<std::vector<torch::Tensor>> per_task;
    if (needs.task_gradients || released)
        for (size_t t = 0; t < gradients.task_count(); ++t) per_task.push_back(gradients.backbone(t));
    const auto total = per_task.empty() ? gradients.backbone_total() : sum_gradients(per_task);
    observe(per_task, total);

    const bool prune = due() && !finished();
    PruneEvent event;
    if (prune) {
        event = choose();
        close_gates(event);
    }
    if (released) {
        // The released loop steps on last task + total + total again, the latter through gates already
        // zeroed.
        const auto update = prune && !gates_.empty() ? gradients.backbone_total() : total;
        if (needs.gates) pruner_.criterion().observe_update(gate_gradients(update));
        std::vector<double> head_factors(gradients.task_count(), 2.0);
        head_factors.back() = 3.0;
        gradients.store(sum_gradients({per_task.back(), total, update}), head_factors);
    } else {
        gradients.store(total);
    }
    if (prune) carry_out(event, optimizer);
    ++iteration_;
    return gradients.losses();
}

PruneEvent IterativePruner::choose() {
    const torch::NoGradGuard no_grad;
    const auto evidence = pruner_.evidence(tensors_);
    auto event = forced_.empty() ? pruner_.next(evidence) : pruner_.event_of(evidence, forced_);
    forced_.clear();
    return event;
}

void IterativePruner::close_gates(const PruneEvent& event) {
    const torch::NoGradGuard no_grad;
    for (size_t g = 0; g < gates_.size(); ++g) {
        if (is_mask()) {
            for (const int64_t channel : event.removed[g]) gates_[g].data()[channel] = 0.0;
        } else {
            auto open = torch::zeros_like(gates_[g]).index_fill(0, event.kept[g].to(gates_[g].device()), 1.0);
            gates_[g].data().copy_(open);
        }
    }
}

void IterativePruner::carry_out(const PruneEvent& event, torch::optim::Optimizer* optimizer) {
    const torch::NoGradGuard no_grad;
    if (!is_mask()) {
        OnSlice slice;
        if (optimizer != nullptr)
            slice = [&](const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept) {
                slice_optimizer_state(*optimizer, parameter, dim, kept);
            };
        network_.apply(pruner_.coupling(), event.plan, slice);
        for (size_t g = 0; g < gates_.size(); ++g)
            gates_[g] = torch::ones({event.kept[g].numel()},
                                    gates_[g].options().requires_grad(gates_[g].requires_grad()));
    }
    pruner_.carried_out(event);
    events_.push_back(event);
}

std::map<std::string, torch::Tensor> IterativePruner::state() const {
    auto state = pruner_.state();
    state["iteration"] = torch::tensor(iteration_);
    state["events"] = text_of(events_);
    if (is_mask())
        for (size_t g = 0; g < gates_.size(); ++g) state["gate." + std::to_string(g)] = gates_[g].detach();
    return state;
}

void IterativePruner::load_state(const std::map<std::string, torch::Tensor>& state) {
    const torch::NoGradGuard no_grad;
    pruner_.load_state(state);
    iteration_ = state.at("iteration").item<int64_t>();
    events_ = events_of(state.at("events"));
    if (is_mask())
        for (size_t g = 0; g < gates_.size(); ++g)
            gates_[g].data().copy_(state.at("gate." + std::to_string(g)));
}

}  // namespace mtlprune
