#include "pruning/regularizers/regularization.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include "pruning/allocation/group_limits.h"
#include "pruning/schedules/model_passes.h"

namespace mtlprune {
namespace {

/// What an event would take of the groups as they are now.
std::vector<torch::Tensor> lowest_of(const Pruner& pruner, const std::vector<torch::Tensor>& scores) {
    std::vector<torch::Tensor> of_all(pruner.groups().size(), torch::empty({0}, torch::kDouble));
    for (size_t i = 0; i < pruner.asked().size(); ++i) of_all[pruner.asked()[i]] = scores.at(i);
    const auto taken = allocate(pruner.coupling(), pruner.groups(), of_all, pruner.allocation()).removed;
    std::vector<torch::Tensor> lowest;
    for (const size_t g : pruner.asked())
        lowest.push_back(torch::zeros({pruner.groups()[g].channels}, torch::kBool)
                             .index_fill_(0, torch::tensor(taken[g], torch::kLong), 1));
    return lowest;
}

std::vector<int64_t> floors_of(const Pruner& pruner) {
    const auto limits = group_limits(pruner.coupling(), pruner.groups(), pruner.allocation());
    std::vector<int64_t> floors;
    for (const size_t g : pruner.asked()) floors.push_back(limits[g].floor);
    return floors;
}

}  // namespace

RegularizedStep Regularization::step(Trainer& trainer) {
    if (groups_.empty()) {
        groups_ = regularized_groups(pruner_.evidence(tensors_), masked_);
        floors_ = floors_of(pruner_);
    }
    return {groups_,
            trainer,
            iteration_,
            trainer.optimizer().param_groups().front().options().get_lr(),
            [this](const std::vector<torch::Tensor>& scores) { return lowest_of(pruner_, scores); },
            floors_,
            nullptr,
            {},
            [this, &trainer](const Batch& batch, const std::vector<size_t>& tasks) {
                return loss_gradients(trainer, batch, tasks);
            }};
}

std::vector<torch::Tensor> Regularization::loss_gradients(Trainer& trainer, const Batch& batch,
                                                          const std::vector<size_t>& tasks) const {
    const auto passes = model_passes(trainer.model(), batch, trainer.options().losses);
    const auto mode = passes.in_mode(/*training=*/true);
    const torch::AutoGradMode with_gradients(true);
    const auto losses = passes.losses({0, passes.samples});
    const auto factors = trainer.weighting().weights();
    torch::Tensor sum;
    for (const size_t t : tasks) {
        const auto loss = factors.defined() ? losses.at(t) * factors[static_cast<int64_t>(t)] : losses.at(t);
        sum = sum.defined() ? sum + loss : loss;
    }
    std::vector<torch::Tensor> trained;
    for (const auto& parameter : trainer.model().parameters())
        if (parameter.requires_grad()) trained.push_back(parameter);
    const auto found = torch::autograd::grad({sum}, trained, {}, c10::nullopt, /*create_graph=*/false,
                                             /*allow_unused=*/true);
    std::vector<torch::Tensor> gradients;
    auto next = found.begin();
    for (const auto& item : trainer.model().named_parameters()) {
        auto& gradient = gradients.emplace_back();
        if (item.value().requires_grad()) gradient = *next++;
        for (const auto& [place, indices] : masked_)
            if (gradient.defined() && place.first == item.key())
                gradient = gradient.index_fill(place.second, indices, 0.0);
    }
    return gradients;
}

void Regularization::after_gradients(
    const TrainingStep& gradients, int64_t iteration,
    const std::map<std::string, std::vector<torch::Tensor>>& task_gradients) {
    if (!regularizer_) return;
    const torch::NoGradGuard no_grad;
    iteration_ = iteration;
    has_gradients_ = true;
    auto now = step(gradients.trainer);
    now.batches = gradients.batches;
    now.task_gradients = &task_gradients;
    regularizer_->after_gradients(now);
}

void Regularization::after_step(Trainer& trainer) {
    if (!has_gradients_) return;
    const torch::NoGradGuard no_grad;
    has_gradients_ = false;
    auto now = step(trainer);
    regularizer_->after_step(now);
}

void Regularization::after_last_event(Trainer& trainer) {
    if (!has_gradients_) return;
    const torch::NoGradGuard no_grad;
    has_gradients_ = false;
    auto now = step(trainer);
    regularizer_->after_last_event(now);
}

std::vector<std::vector<int64_t>> Regularization::chosen() const {
    if (!regularizer_) return {};
    std::vector<std::vector<int64_t>> numbers;
    int64_t count = 0;
    auto leaving = regularizer_->chosen();
    if (leaving.empty())
        if (const auto ranking = regularizer_->ranking(); !ranking.empty())
            leaving = lowest_of(pruner_, ranking);
    for (size_t i = 0; i < leaving.size(); ++i) {
        const auto chosen = pruner_.originals()[i].masked_select(leaving[i]);
        numbers.emplace_back(chosen.data_ptr<int64_t>(), chosen.data_ptr<int64_t>() + chosen.numel());
        count += chosen.numel();
    }
    if (count == 0) return {};
    return numbers;
}

void Regularization::after_event(const PruneEvent& event) {
    groups_.clear();
    if (regularizer_) regularizer_->after_event(event.kept);
}

std::map<std::string, torch::Tensor> Regularization::state() const {
    if (!regularizer_) return {};
    return regularizer_->state();
}

void Regularization::load_state(const std::map<std::string, torch::Tensor>& state) {
    groups_.clear();
    if (regularizer_) regularizer_->load_state(state);
}

}  // namespace mtlprune
