#include "pruning/schedules/iterative_pruner.h"

#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "base/error.h"
#include "pruning/schedules/gradients_by_name.h"
#include "pruning/schedules/model_passes.h"
#include "pruning/search/candidate_losses.h"
#include "training/batch_state.h"

namespace mtlprune {
namespace {

ModuleNetwork network_of(const ModelPtr& model, const torch::Tensor& example) {
    const auto type = model->parameters().front().scalar_type();
    return {*model,
            [model](const std::vector<torch::Tensor>& inputs) { return model->forward(inputs.at(0)); },
            {example.to(type)}};
}

/// Reads what a JSON list of numbers was; null is NaN.
std::vector<double> numbers_of(const nlohmann::json& list) {
    std::vector<double> numbers;
    for (const auto& value : list)
        numbers.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
    return numbers;
}

nlohmann::json cost_json(const Cost& cost) {
    return {cost.parameters, cost.macs, cost.activation_bytes};
}

Cost cost_of_json(const nlohmann::json& list) {
    return {list.at(0).get<int64_t>(), list.at(1).get<int64_t>(), list.at(2).get<int64_t>()};
}

torch::Tensor text_of(const std::vector<PruneEvent>& events) {
    auto list = nlohmann::json::array();
    for (const auto& event : events)
        list.push_back({{"plan", plan_to_json(event.plan)},
                        {"removed", event.removed},
                        {"widths", event.widths},
                        {"mean_scores", event.mean_scores},
                        {"before", cost_json(event.before)},
                        {"after", cost_json(event.after)},
                        {"notes", event.notes}});
    return text_tensor(list.dump());
}

std::vector<PruneEvent> events_of(const torch::Tensor& text) {
    std::vector<PruneEvent> events;
    for (const auto& item : nlohmann::json::parse(tensor_text(text))) {
        PruneEvent event;
        event.plan = plan_from_json(item.at("plan"), "pruning state: events");
        event.removed = item.at("removed").get<std::vector<std::vector<int64_t>>>();
        event.widths = item.at("widths").get<std::vector<int64_t>>();
        event.mean_scores = numbers_of(item.at("mean_scores"));
        event.before = cost_of_json(item.at("before"));
        event.after = cost_of_json(item.at("after"));
        event.notes = item.value("notes", event.notes);
        events.push_back(std::move(event));
    }
    return events;
}

}  // namespace

AllocationOptions lowest_of_shared(int64_t filters, int64_t floor) {
    AllocationOptions options;
    options.scope = RankingScope::global;
    options.budget = {BudgetUnit::count, static_cast<double>(filters)};
    options.only = {kSharedGroups};
    options.min_channels = floor;
    options.may_empty = floor == 0;
    return options;
}

IterativePruner::IterativePruner(ModelPtr model, const torch::Tensor& example,
                                 std::unique_ptr<Criterion> criterion, IterativePrunerOptions options,
                                 std::unique_ptr<Regularizer> regularizer, std::unique_ptr<Search> search,
                                 const ModelPtr& unpruned)
    : model_(std::move(model)),
      options_(std::move(options)),
      network_(network_of(model_, example)),
      pruner_(unpruned ? network_of(unpruned, example).couple({}) : network_.couple({}), std::move(criterion),
              options_.allocation, options_.edit),
      tensors_(network_.tensors()),
      regularization_(std::move(regularizer), pruner_, tensors_, masked_),
      search_(std::move(search)),
      patience_(options_.patience),
      coupled_unpruned_(unpruned != nullptr) {
    if (options_.pace != Pace::each && options_.events < 1)
        throw Error("pruning", "events", "how many events approach the budget", "as many as it takes");
    for (const auto& [name, parameter] : model_->shared_parameters()) shared_names_.push_back(name);
    asks_heads_ = asks_own_parameters();
    set_gates();
    update_met();
}

bool IterativePruner::asks_own_parameters() const {
    std::set<std::string> own;
    for (size_t t = 0; t < model_->tasks().size(); ++t)
        for (const auto& [name, parameter] : model_->parameters_of(t)) own.insert(name);
    for (const size_t g : pruner_.asked())
        for (const auto& member : pruner_.groups()[g].members)
            if (member.role == Role::output && own.contains(member.tensor)) return true;
    return false;
}

bool IterativePruner::needs_task_gradients() const {
    return pruner_.criterion().needs().task_gradients || released_update() ||
           (regularizes_ && regularization_.needs_task_gradients(iteration_));
}

bool IterativePruner::finished() const {
    return pruner_.finished() || met_ ||
           (options_.events > 0 && static_cast<int64_t>(events_.size()) >= options_.events);
}

bool IterativePruner::due() const {
    const bool ends = (iteration_ + 1) % options_.frequency == 0;
    return ends && (options_.patience == 0 || is_capped() || patience_.is_lost());
}

/// Without a search a budget is met by every event.
void IterativePruner::update_met() {
    met_ = search_ && meets_budget(pruner_.coupling(), pruner_.groups(), options_.allocation);
}

int64_t IterativePruner::expected_events() const {
    if (options_.events > 0) return options_.events;
    int64_t channels = 0, removable = 0;
    for (const size_t g : pruner_.asked()) {
        const int64_t width = pruner_.coupling().groups[g].channels;
        channels += width;
        removable += std::max<int64_t>(0, width - options_.allocation.min_channels);
    }
    const auto& budget = options_.allocation.budget;
    const double whole = budget.unit == BudgetUnit::count ? 1.0 : static_cast<double>(channels);
    const auto per_event = std::max<int64_t>(1, static_cast<int64_t>(budget.value * whole));
    return (removable + per_event - 1) / per_event;
}

/// The released loop's update at an event goes through gates already closed, so removal needs them too.
void IterativePruner::set_gates() {
    const bool needed = pruner_.criterion().needs().gates;
    if (!needed && !released_update()) return;
    gates_.clear();
    const auto like = model_->parameters().front().options().requires_grad(false);
    for (size_t i = 0; i < pruner_.asked().size(); ++i) {
        const auto& present = pruner_.originals()[i];
        auto gate = is_mask() ? torch::zeros({pruner_.coupling().groups[pruner_.asked()[i]].channels}, like)
                                    .index_fill_(0, present.to(like.device()), 1.0)
                              : torch::ones({present.numel()}, like);
        gates_.push_back(gate.set_requires_grad(needed));
    }
    model_->set_gates(gates_);
}

std::vector<torch::Tensor> IterativePruner::gate_gradients(
    const std::vector<torch::Tensor>& gradients) const {
    std::vector<torch::Tensor> of_gates(gradients.begin() + static_cast<std::ptrdiff_t>(shared_names_.size()),
                                        gradients.end());
    if (is_mask())
        for (size_t g = 0; g < of_gates.size(); ++g)
            of_gates[g] = of_gates[g].index_select(0, pruner_.originals()[g].to(of_gates[g].device()));
    return of_gates;
}

void IterativePruner::observe(const TrainingStep& step) {
    const auto needs = pruner_.criterion().needs();
    if (needs.passes) observe_passes(step);
    if (!needs.data() || needs.passes) return;
    auto evidence = pruner_.evidence(tensors_);
    GradientsByName gradients;
    for (size_t i = 0; i < shared_names_.size(); ++i)
        if (needs.gradients && step.total[i].defined()) gradients.total[shared_names_[i]] = step.total[i];
    if (needs.task_gradients) add_shared_gradients(gradients, *model_, step.task_gradients);
    if (asks_heads_) add_own_gradients(gradients, *model_, step.gradients);
    evidence.gradients = std::move(gradients.total);
    evidence.task_gradients = std::move(gradients.of_tasks);
    if (needs.gates) evidence.gate_gradients = gate_gradients(step.total);
    pruner_.criterion().observe(evidence);
}

/// In eval mode unless the criterion asks for another.
void IterativePruner::observe_passes(const TrainingStep& step) {
    if (!is_observed() || finished()) return;
    const auto& options = step.trainer.options();
    if (options.parallel)
        throw Error("configuration", "criterion", "one that looks at gradients alone with several processes",
                    "one that runs passes of its own");
    for (const auto& batch : step.batches) {
        const auto passes = model_passes(*model_, batch, options.losses);
        auto evidence = pruner_.evidence(tensors_);
        evidence.own_passes = &passes;
        const auto mode = passes.in_mode(/*training=*/false);
        pruner_.criterion().observe(evidence);
    }
}

/// They are kept in checkpoints, so that an event sees the same ones after a resumption.
void IterativePruner::keep_for_search(const TrainingStep& step) {
    if (!search_) return;
    if (iteration_ % options_.frequency == 0) search_batches_.clear();
    if (!is_observed() || finished()) return;
    if (step.trainer.options().parallel)
        throw Error("configuration", "search", "none with several processes",
                    "one that runs passes of its own");
    search_batches_.insert(search_batches_.end(), step.batches.begin(), step.batches.end());
}

void IterativePruner::after_gradients(TrainingStep& step) {
    observe(step);
    keep_for_search(step);
    const bool ends_window = (iteration_ + 1) % options_.frequency == 0, prune = due() && !finished();
    PruneEvent event;
    if (prune) {
        event = choose(step);
        close_gates(event);
    }
    if (released_update()) update_as_released(step, prune);
    if (regularizes_) regularize(step);
    if (prune) carry_out(event, step.trainer);
    mask_gradients();
    if (ends_window) patience_.end_window();
    if (prune) patience_.start_again();
    if (options_.patience > 0) patience_.add(step.gradients.losses());
    pruned_now_ = prune;
    ++iteration_;
}

void IterativePruner::regularize(const TrainingStep& step) {
    GradientsByName gradients;
    if (regularization_.needs_task_gradients(iteration_)) {
        add_shared_gradients(gradients, *model_, step.task_gradients);
        add_own_gradients(gradients, *model_, step.gradients);
    }
    regularization_.after_gradients(step, iteration_, gradients.of_tasks);
}

void IterativePruner::after_step(Trainer& trainer) {
    if (regularizes_)
        regularization_.after_step(trainer);
    else if (pruned_now_)
        regularization_.after_last_event(trainer);
    if (pruned_now_ && options_.reset_optimizer) trainer.reset_optimizer();
    pruned_now_ = false;
}

void IterativePruner::between_steps(Trainer& trainer) {
    if (due() && (finished() || is_capped())) trainer.stop();
}

void IterativePruner::update_as_released(TrainingStep& step, bool prune) {
    if (step.batches.size() > 1)
        throw Error("configuration", "accumulate", "1 with the released update",
                    std::to_string(step.batches.size()));
    if (step.trainer.options().parallel)
        throw Error("configuration", "update", "the corrected update with several processes", "as_released");
    const auto update = prune && !gates_.empty() ? step.gradients.shared_total() : step.total;
    if (pruner_.criterion().needs().gates) pruner_.criterion().observe_update(gate_gradients(update));
    std::vector<size_t> tasks(step.gradients.task_count());
    std::iota(tasks.begin(), tasks.end(), 0);
    step.gradients.add(step.task_gradients.back(), {tasks.back()});
    step.gradients.add(update, tasks);
}

AllocationOptions IterativePruner::allocation_now() const {
    return at_step(pruner_.coupling(), options_.allocation, static_cast<int64_t>(events_.size()) + 1,
                   options_.events, options_.pace);
}

PruneEvent IterativePruner::choose(const TrainingStep& step) {
    const torch::NoGradGuard no_grad;
    auto evidence = pruner_.evidence(tensors_);
    const auto passes = model_passes(*model_, step.batches.back(), step.trainer.options().losses);
    if (pruner_.criterion().needs().passes) evidence.own_passes = &passes;
    const auto mode = evidence.own_passes == nullptr ? nullptr : passes.in_mode(/*training=*/false);
    if (forced_.empty()) forced_ = regularization_.chosen();
    const auto take = [&](const Coupling& coupling, const std::vector<Group>& groups,
                          const std::vector<torch::Tensor>& scores, const AllocationOptions& allocation) {
        if (!search_) return allocate(coupling, groups, scores, allocation);
        return search(scores, allocation, step.trainer.options().losses);
    };
    auto event = forced_.empty() ? pruner_.next(evidence, allocation_now(), take)
                                 : pruner_.event_of(evidence, forced_);
    forced_.clear();
    search_batches_.clear();
    return event;
}

Allocation IterativePruner::search(const std::vector<torch::Tensor>& scores,
                                   const AllocationOptions& allocation, Fidelity losses) {
    std::vector<Passes> batches;
    for (const auto& batch : search_batches_) batches.push_back(model_passes(*model_, batch, losses));
    CandidateLosses candidates(pruner_.groups(), named_tensors(*model_), std::move(batches));
    return search_->choose({.coupling = pruner_.coupling(),
                            .groups = pruner_.groups(),
                            .scores = scores,
                            .allocation = allocation,
                            .losses = [&](const auto& removed) { return candidates.without(removed); },
                            .round = static_cast<int64_t>(events_.size()),
                            .progress = search_progress_});
}

void IterativePruner::close_gates(const PruneEvent& event) {
    const torch::NoGradGuard no_grad;
    for (size_t g = 0; g < gates_.size(); ++g) {
        // `kept` is numbered as the gates of a network are whose channels leave.
        const auto& present = pruner_.originals()[g];
        const auto kept = is_mask() ? present.index_select(0, event.kept[g]) : event.kept[g];
        auto values = gates_[g].data();
        values.zero_().index_fill_(0, kept.to(values.device()), 1.0);
    }
}

void IterativePruner::carry_out(const PruneEvent& event, Trainer& trainer) {
    const torch::NoGradGuard no_grad;
    Pruner::repair(tensors_, event);
    network_.apply(pruner_.coupling(), event.plan,
                   [&](const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept) {
                       trainer.slice_state(parameter, dim, kept);
                   });
    if (is_mask()) {
        remember_masked(event.plan);
        for (const auto& [place, indices] : masked_)
            trainer.zero_state(tensors_.at(place.first), place.second, indices);
    }
    pruner_.carried_out(event);
    regularization_.after_event(event);
    set_gates();
    events_.push_back(event);
    update_met();
    regularizes_ = !finished();
}

void IterativePruner::remember_masked(const Plan& plan) {
    for (const auto& slices : plan.slices) {
        const auto found = tensors_.find(slices.tensor);
        if (found == tensors_.end() || !found->second.requires_grad()) continue;  // a buffer
        auto& indices = masked_[{slices.tensor, slices.dim}];
        const auto more = torch::tensor(slices.indices, torch::kLong).to(found->second.device());
        indices = indices.defined() ? torch::cat({indices, more}) : more;
    }
}

void IterativePruner::mask_gradients() {
    const torch::NoGradGuard no_grad;
    for (const auto& [place, indices] : masked_) {
        auto& gradient = tensors_.at(place.first).mutable_grad();
        // Not in place: the evidence of this mini-batch holds it.
        if (gradient.defined()) gradient = gradient.index_fill(place.second, indices, 0.0);
    }
}

TensorMap IterativePruner::state() const {
    auto state = pruner_.state();
    state.merge(with_prefix("regularizer.", regularization_.state()));
    state["iteration"] = torch::tensor(iteration_);
    state["events"] = text_of(events_);
    if (options_.patience > 0) state.merge(with_prefix("patience.", patience_.state()));
    state.merge(with_prefix("search.", batches_state(search_batches_)));
    return state;
}

void IterativePruner::load_state(const TensorMap& state) {
    const torch::NoGradGuard no_grad;
    events_ = events_of(state.at("events"));
    if (coupled_unpruned_)
        for (const auto& event : events_) pruner_.replay(event.plan);
    coupled_unpruned_ = false;
    pruner_.load_state(state);
    regularization_.load_state(entries_of("regularizer.", state));
    iteration_ = state.at("iteration").item<int64_t>();
    if (options_.patience > 0) patience_.load_state(entries_of("patience.", state));
    search_batches_ = batches_of(entries_of("search.", state), model_->parameters().front().device());
    update_met();
    masked_.clear();
    if (is_mask())
        for (const auto& event : events_) remember_masked(event.plan);
    regularizes_ = !finished();
    set_gates();
}

}  // namespace mtlprune
