// Group sparsity whose strength is learned with the network (Upadhyay, Phlypo, Saini, Liwicki,
// Meta-sparsity: Learning optimal sparse structures in multi-task networks through meta-learning, 2025).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "pruning/regularizers/meta_step.h"
#include "pruning/regularizers/sparse_units.h"
#include "training/batch_state.h"

namespace mtlprune {
namespace {

constexpr double kLeastLambda = 1e-7, kMostLambda = 1e-1;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-30;  ///< of Adam's step of log(lambda)

struct MetaSparsityOptions {
    double lambda;
    double eta;
    bool adam;
    bool all_subsets;
    bool meta_gradient;
    bool outer_penalty;
    MetaOptions step;
};

/// Trains on the mini-batch before (inner steps) and validates on the one that the gradients are of.
class MetaSparsity : public Regularizer {
  public:
    explicit MetaSparsity(const MetaSparsityOptions& options)
        : options_(options), rho_(std::log(options.lambda)) {}

    void after_gradients(RegularizedStep& step) override {
        if (step.trainer.options().parallel)
            throw Error("configuration", "regularizer", "another one with several processes",
                        "meta_sparsity, which runs passes of its own");
        const auto training = std::exchange(before_, {step.batches.back()});
        slope_ = 0.0;
        if (!training.empty()) learn(step, training.front());
    }

    void after_step(RegularizedStep& step) override {
        shrink_units(step, SparseUnit::input_channel, std::exp(rho_));
        if (slope_ != 0.0) update(std::exp(rho_) * slope_);
    }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state = {{"log_lambda", torch::tensor(rho_, torch::kDouble)},
                                                      {"mean", torch::tensor(mean_, torch::kDouble)},
                                                      {"square", torch::tensor(square_, torch::kDouble)},
                                                      {"updates", torch::tensor(updates_)}};
        for (auto& [name, tensor] : with_prefix("before.", batches_state(before_))) state[name] = tensor;
        return state;
    }

    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        rho_ = state.at("log_lambda").item<double>();
        mean_ = state.at("mean").item<double>();
        square_ = state.at("square").item<double>();
        updates_ = state.at("updates").item<int64_t>();
        before_ = batches_of(entries_of("before.", state), torch::kCPU);
    }

  private:
    void learn(RegularizedStep& step, const Batch& training) {
        auto& model = step.trainer.model();
        const auto parameters = model.parameters();
        const auto penalised = penalised_in(step, model);
        const auto on_training = training.to(parameters.front().device());
        const auto found = meta_step(
            parameters, penalised, episodes(model.tasks().size()), std::exp(rho_),
            [&](const auto& tasks) { return step.loss_gradients(on_training, tasks); },
            [&](const auto& tasks) { return step.loss_gradients(step.batches.back(), tasks); },
            options_.step);
        slope_ = options_.outer_penalty ? penalty_of(penalised).item<double>() : found.slope;
        if (!options_.meta_gradient) return;
        for (size_t i = 0; i < parameters.size(); ++i)
            if (found.gradients[i].defined()) parameters[i].mutable_grad() = found.gradients[i];
    }

    static std::vector<PenalisedSlices> penalised_in(const RegularizedStep& step, const Model& model) {
        std::map<std::string, size_t> numbers;
        for (const auto& item : model.named_parameters()) numbers.emplace(item.key(), numbers.size());
        std::vector<PenalisedSlices> penalised;
        for (const auto& group : step.groups)
            for (const auto& unit : sparse_units(group, SparseUnit::input_channel))
                penalised.push_back({numbers.at(unit.front()->name), unit.front()});
        return penalised;
    }

    std::vector<std::vector<size_t>> episodes(size_t tasks) const {
        if (options_.all_subsets) return task_subsets(tasks);
        std::vector<size_t> all(tasks);
        std::iota(all.begin(), all.end(), 0);
        return {all};
    }

    /// One step of log(lambda) against this derivative.
    void update(double derivative) {
        double step = derivative;
        if (options_.adam) {
            ++updates_;
            mean_ = kBeta1 * mean_ + (1.0 - kBeta1) * derivative;
            square_ = kBeta2 * square_ + (1.0 - kBeta2) * derivative * derivative;
            const auto count = static_cast<double>(updates_);
            step = mean_ / (1.0 - std::pow(kBeta1, count)) /
                   (std::sqrt(square_ / (1.0 - std::pow(kBeta2, count))) + kTiny);
        }
        rho_ = std::clamp(rho_ - options_.eta * step, std::log(kLeastLambda), std::log(kMostLambda));
    }

    MetaSparsityOptions options_;
    double rho_;  ///< log(lambda)
    double mean_ = 0.0, square_ = 0.0;
    int64_t updates_ = 0;
    double slope_ = 0.0;         ///< of this iteration
    std::vector<Batch> before_;  ///< the mini-batch before, if there was one
};

double start_of(const nlohmann::json& options) {
    const auto lambda = options.at("lambda").get<double>();
    if (!(lambda >= kLeastLambda && lambda <= kMostLambda))
        throw Error("regularizer", "lambda", "a number from 1e-7 to 0.1", std::to_string(lambda));
    return lambda;
}

MetaSparsityOptions read_meta_sparsity(const nlohmann::json& options) {
    return {.lambda = start_of(options),
            .eta = not_negative(options, "eta"),
            .adam = options.at("update").get<std::string>() == "adam",
            .all_subsets = options.at("episodes").get<std::string>() == "subsets",
            .meta_gradient = options.at("meta_gradient").get<bool>(),
            .outer_penalty = options.at("outer_penalty").get<bool>(),
            .step = {.alpha = not_negative(options, "alpha"),
                     .proximal = options.at("inner").get<std::string>() == "proximal",
                     .shared_snapshots = options.at("shared_snapshots").get<bool>(),
                     .summed = options.at("summed").get<bool>()}};
}

}  // namespace

Registry<Regularizer>::Entry meta_sparsity_regularizer() {
    return {{.key = "meta_sparsity",
             .summary = "less_is_more on input channels whose strength is learned: for sets of tasks, inner "
                        "steps on one mini-batch and gradients behind them on the next",
             .paper = "Upadhyay et al., Meta-sparsity: Learning optimal sparse structures in multi-task "
                      "networks through meta-learning, 2025",
             .options = {{"lambda", 1e-4, "strength at first; it stays between 1e-7 and 0.1"},
                         {"eta", 0.05, "learning rate of log(lambda)"},
                         {"update",
                          "adam",
                          "how log(lambda) changes; gradient: by plain steps, which are tiny",
                          {"adam", "gradient"}},
                         {"alpha", 3e-4, "learning rate of the inner steps (plain ones)"},
                         {"inner",
                          "gradient",
                          "how the penalty acts in an inner step: by its gradient or by a proximal step",
                          {"gradient", "proximal"}},
                         {"episodes",
                          "subsets",
                          "subsets: every set of two or more tasks; all: all tasks at once",
                          {"subsets", "all"}},
                         {"meta_gradient", true,
                          "the gradients behind the inner steps are what the optimiser gets; false: only the "
                          "strength is learned by them"},
                         {"shared_snapshots", false,
                          "inner steps go on from one another, and their last weights stay"},
                         {"summed", false, "the gradients of the sets are summed, not averaged"},
                         {"outer_penalty", false,
                          "lambda follows the penalty's own derivative and can only fall"}},
             .as_released = {{"shared_snapshots", true}, {"summed", true}, {"outer_penalty", true}},
             .certainty = "medium: the penalty is the released one; the loop is assumed, after the released "
                          "code of an earlier paper of the same group"},
            [](const nlohmann::json& options) {
                return std::make_unique<MetaSparsity>(read_meta_sparsity(options));
            }};
}

}  // namespace mtlprune
