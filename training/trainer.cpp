#include "training/trainer.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"

namespace mtlprune {
namespace {

std::vector<std::string> parameter_names(const torch::nn::Module& module) {
    std::vector<std::string> names;
    for (const auto& item : module.named_parameters()) names.push_back(item.key());
    return names;
}

void copy_entry(const torch::Tensor& target, const std::string& name, const TensorMap& state) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != target.sizes())
        throw Error("checkpoint", name, fmt::format("a tensor of shape {}", c10::str(target.sizes())),
                    found == state.end() ? "nothing" : c10::str(found->second.sizes()));
    torch::Tensor(target).copy_(found->second);
}

}  // namespace

TensorMap module_state(const torch::nn::Module& module) {
    TensorMap state;
    for (const auto& item : module.named_parameters()) state[item.key()] = item.value().detach();
    for (const auto& item : module.named_buffers()) state[item.key()] = item.value().detach();
    return state;
}

void load_module_state(torch::nn::Module& module, const TensorMap& state) {
    const torch::NoGradGuard no_grad;
    for (const auto& item : module.named_parameters()) copy_entry(item.value(), item.key(), state);
    for (const auto& item : module.named_buffers()) copy_entry(item.value(), item.key(), state);
}

Trainer::Trainer(ModelPtr model, TrainerOptions options, std::vector<std::shared_ptr<Callback>> callbacks)
    : model_(std::move(model)), options_(std::move(options)), callbacks_(std::move(callbacks)) {
    for (const auto& callback : callbacks_) needs_task_gradients_ |= callback->needs_task_gradients();
    reset_optimizer();
}

void Trainer::reset_optimizer() {
    optimizer_ = make_optimizer(model_->parameters(), options_.optimizer);
}

void Trainer::run(const NextBatch& next) {
    model_->train();
    stopped_ = false;
    while (true) {
        for (const auto& callback : callbacks_) callback->between_steps(*this);
        if (stopped_ || (options_.iterations > 0 && iteration_ >= options_.iterations)) return;
        step(next());
    }
}

torch::Tensor Trainer::step(const Batch& batch) {
    set_learning_rate(*optimizer_,
                      learning_rate(options_.learning_rate_schedule, options_.optimizer.lr, iteration_));
    const auto losses = take_gradients(batch);
    optimizer_->step();
    ++iteration_;
    for (const auto& callback : callbacks_) callback->after_step(*this);
    return losses;
}

torch::Tensor Trainer::take_gradients(const Batch& batch) {
    model_->set_dropout_key(
        mix_key(options_.seed, Stream::method, static_cast<uint64_t>(iteration_), options_.phase));
    TaskGradients gradients(*model_, batch, options_.losses);
    std::vector<std::vector<torch::Tensor>> per_task;
    if (needs_task_gradients_)
        for (size_t t = 0; t < gradients.task_count(); ++t) per_task.push_back(gradients.shared(t));
    const auto total = per_task.empty() ? gradients.shared_total() : sum_gradients(per_task);
    gradients.store(total);
    add_extra_losses();
    TrainingStep step{*this, batch, gradients, per_task, total};
    for (const auto& callback : callbacks_) callback->after_gradients(step);
    return gradients.losses();
}

void Trainer::add_extra_losses() {
    torch::Tensor extra;
    for (const auto& callback : callbacks_)
        if (const auto loss = callback->extra_loss(*this); loss.defined())
            extra = extra.defined() ? extra + loss : loss;
    if (!extra.defined()) return;
    const auto parameters = model_->parameters();
    const auto gradients = torch::autograd::grad({extra}, parameters, {}, c10::nullopt,
                                                 /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < parameters.size(); ++i) add_gradient(parameters[i], gradients[i]);
}

TensorMap Trainer::state() const {
    TensorMap state = with_prefix("model.", module_state(*model_));
    state.merge(with_prefix("optimizer.", optimizer_state(*optimizer_, parameter_names(*model_))));
    for (const auto& callback : callbacks_)
        state.merge(with_prefix(callback->name() + ".", callback->state()));
    state["iteration"] = torch::tensor(iteration_);
    return state;
}

void Trainer::load_state(const TensorMap& state) {
    load_module_state(*model_, entries_of("model.", state));
    load_optimizer_state(*optimizer_, parameter_names(*model_), entries_of("optimizer.", state));
    for (const auto& callback : callbacks_) callback->load_state(entries_of(callback->name() + ".", state));
    const auto iteration = state.find("iteration");
    if (iteration == state.end()) throw Error("checkpoint", "iteration", "a number of steps", "nothing");
    iteration_ = iteration->second.item<int64_t>();
}

}  // namespace mtlprune
