#include "training/trainer.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "models/layers/dropout.h"
#include "training/flush_denormals.h"
#include "training/gradient_norm.h"

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

WeightingContext weighting_context(const Model& model, const TrainerOptions& options) {
    WeightingContext context{model.tasks(),
                             options.optimizer,
                             mix_key(options.seed, Stream::method, options.phase),
                             model.parameters().front().options().requires_grad(false),
                             {}};
    for (const auto& [name, parameter] : model.shared_parameters())
        context.dimensions.push_back(parameter.dim());
    return context;
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
    : model_(std::move(model)),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      weighting_(
          task_weightings().make(options_.update.task_weighting, weighting_context(*model_, options_))),
      loss_scale_(options_.update.precision) {
    require_precision(options_.update.precision, model_->parameters().front().device());
    reset_optimizer();
}

void Trainer::reset_optimizer() {
    optimizer_ = make_optimizer(model_->parameters(), options_.optimizer);
}

void Trainer::run(const NextBatch& next) {
    const FlushDenormals flush(options_.update.flush_denormals);
    model_->train();
    stopped_ = false;
    if (options_.parallel) {
        options_.parallel->broadcast(model_->parameters());
        options_.parallel->broadcast(model_->buffers());
    }
    while (true) {
        for (const auto& callback : callbacks_) callback->between_steps(*this);
        if (stopped_ || (options_.iterations > 0 && iteration_ >= options_.iterations)) return;
        std::vector<Batch> batches;
        for (int64_t n = 0; n < options_.update.accumulate; ++n) batches.push_back(next());
        step(batches);
    }
}

torch::Tensor Trainer::step(const std::vector<Batch>& batches) {
    const FlushDenormals flush(options_.update.flush_denormals);
    set_learning_rate(*optimizer_, current_rate());
    const auto losses = take_gradients(batches);
    if (!left_out_) {
        if (options_.update.clip_norm > 0.0) clip_gradients(model_->parameters(), options_.update.clip_norm);
        optimizer_->step();
    }
    ++iteration_;
    for (const auto& callback : callbacks_) callback->after_step(*this);
    return losses;
}

torch::Tensor Trainer::take_gradients(const std::vector<Batch>& batches) {
    for (const auto& callback : callbacks_) callback->before_gradients(*this, batches);
    needs_task_gradients_ = weighting_->needs_task_gradients();
    for (const auto& callback : callbacks_) needs_task_gradients_ |= callback->needs_task_gradients();
    auto gathered = gather(batches);
    if (options_.parallel) average_over_ranks(gathered);
    auto& gradients = *gathered.gradients;
    const WeightingStep seen{iteration_, current_rate(), gradients.losses(), gathered.per_task};
    if (!gathered.per_task.empty()) gathered.total = weighting_->combine(seen);
    gradients.store(gathered.total);
    add_extra_losses();
    left_out_ = loss_scale_.active() && !usable(model_->parameters());
    if (left_out_) return gradients.losses();
    weighting_->learn(seen);
    TrainingStep step{*this, batches, gradients, gathered.per_task, gathered.total};
    for (const auto& callback : callbacks_) callback->after_gradients(step);
    return gradients.losses();
}

double Trainer::current_rate() const {
    return learning_rate(options_.learning_rate_schedule, options_.optimizer.lr, iteration_);
}

/// Of a mini-batch's means in those of the iteration, over its mini-batches and ranks.
double Trainer::share(const Batch& batch, size_t batches) const {
    const double ranks = options_.parallel ? static_cast<double>(options_.parallel->ranks()) : 1.0;
    return (options_.parallel ? batch.weight : 1.0) / (static_cast<double>(batches) * ranks);
}

/// Every mini-batch of an iteration has its own masks, of which every rank takes the rows of its samples.
void Trainer::choose_dropout(size_t batch) {
    const uint64_t key =
        mix_key(options_.seed, Stream::method, static_cast<uint64_t>(iteration_), options_.phase);
    model_->set_dropout_key(batch == 0 ? key : mix_key(key, Stream::method, batch));
    if (options_.parallel)
        set_dropout_shard(*model_, {options_.parallel->rank(), options_.parallel->ranks()});
}

void Trainer::average_over_ranks(Gathered& gathered) {
    auto all = gathered.gradients->parts();
    for (auto& list : gathered.per_task)
        for (auto& gradient : list) all.push_back(&gradient);
    for (auto& gradient : gathered.total) all.push_back(&gradient);
    // What a loss does not depend on is the same on every rank.
    std::erase_if(all, [](const torch::Tensor* tensor) { return !tensor->defined(); });
    std::vector<torch::Tensor> shares;
    for (const auto* tensor : all) shares.push_back(*tensor);
    options_.parallel->sum(shares);
    for (size_t i = 0; i < all.size(); ++i) *all[i] = shares[i];
    options_.parallel->broadcast(model_->buffers());
}

Trainer::Gathered Trainer::gather(const std::vector<Batch>& batches) {
    if (batches.empty()) throw Error("training", "iteration", "at least one mini-batch", "none");
    Gathered sum;
    const auto weights = weighting_->weights();
    for (size_t n = 0; n < batches.size(); ++n) {
        if (sum.gradients) sum.gradients->drop_graph();
        choose_dropout(n);
        TaskGradients gradients(*model_, batches[n],
                                {.losses = options_.losses,
                                 .precision = options_.update.precision,
                                 .loss_scale = loss_scale_.value(),
                                 .share = share(batches[n], batches.size())});
        gradients.set_weights(weights);
        if (n > 0) gradients.join(*sum.gradients);
        if (!needs_task_gradients_) {
            const auto total = gradients.shared_total();
            sum.total = n == 0 ? total : sum_gradients({sum.total, total});
        } else {
            sum.per_task.resize(gradients.task_count());
            for (size_t t = 0; t < gradients.task_count(); ++t) {
                const auto shared = gradients.shared(t);
                sum.per_task[t] = n == 0 ? shared : sum_gradients({sum.per_task[t], shared});
            }
        }
        sum.gradients.emplace(std::move(gradients));
    }
    return sum;
}

/// Tells the loss scale too. The only place where a training waits for the device in every iteration.
bool Trainer::usable(const std::vector<torch::Tensor>& parameters) {
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : parameters) gradients.push_back(parameter.grad());
    const bool finite = global_norm(gradients).isfinite().item<bool>();
    loss_scale_.update(finite, iteration_);
    return finite;
}

void Trainer::slice_state(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& kept) {
    slice_optimizer_state(*optimizer_, parameter, dim, kept);
    for (const auto& callback : callbacks_) callback->on_slice(parameter, dim, kept);
}

void Trainer::zero_state(const torch::Tensor& parameter, int64_t dim, const torch::Tensor& indices) {
    zero_optimizer_state(*optimizer_, parameter, dim, indices);
    for (const auto& callback : callbacks_) callback->on_zero(parameter, dim, indices);
}

void Trainer::mask_state(const torch::Tensor& parameter, const torch::Tensor& kept) {
    mask_optimizer_state(*optimizer_, parameter, kept);
    for (const auto& callback : callbacks_) callback->on_mask(parameter, kept);
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
    state.merge(with_prefix("weighting.", weighting_->state()));
    state.merge(with_prefix("loss_scale.", loss_scale_.state()));
    state["iteration"] = torch::tensor(iteration_);
    return state;
}

void Trainer::load_state(const TensorMap& state) {
    load_module_state(*model_, entries_of("model.", state));
    load_optimizer_state(*optimizer_, parameter_names(*model_), entries_of("optimizer.", state));
    for (const auto& callback : callbacks_) callback->load_state(entries_of(callback->name() + ".", state));
    weighting_->load_state(entries_of("weighting.", state));
    loss_scale_.load_state(entries_of("loss_scale.", state));
    const auto iteration = state.find("iteration");
    if (iteration == state.end()) throw Error("checkpoint", "iteration", "a number of steps", "nothing");
    iteration_ = iteration->second.item<int64_t>();
}

EvaluatedWeights::EvaluatedWeights(Trainer& trainer) : trainer_(trainer) {
    for (const auto& callback : trainer_.callbacks_) callback->enter_evaluation(trainer_);
}

EvaluatedWeights::~EvaluatedWeights() {
    const auto& callbacks = trainer_.callbacks_;
    for (auto callback = callbacks.rbegin(); callback != callbacks.rend(); ++callback)
        (*callback)->leave_evaluation(trainer_);
}

}  // namespace mtlprune
