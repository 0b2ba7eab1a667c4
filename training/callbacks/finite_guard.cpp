#include "training/callbacks/finite_guard.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"
#include "training/gradient_norm.h"
#include "training/trainer.h"

namespace mtlprune {
namespace {

/// In .grad, where extra losses are too.
std::vector<torch::Tensor> shared_gradients(const Model& model) {
    std::vector<torch::Tensor> gradients;
    for (const auto& [name, parameter] : model.shared_parameters()) gradients.push_back(parameter.grad());
    return gradients;
}

torch::Tensor finite_flags(const TrainingStep& step) {
    const torch::NoGradGuard no_grad;
    const auto& losses = step.gradients.losses();
    std::vector<torch::Tensor> norms;
    for (size_t t = 0; t < step.gradients.task_count(); ++t)
        norms.push_back(global_norm(step.gradients.own(t)).to(losses.device()));
    norms.push_back(global_norm(shared_gradients(step.trainer.model())).to(losses.device()));
    return torch::cat({losses.to(torch::kDouble), torch::stack(norms)}).isfinite();
}

/// The tasks whose shared gradients of the last mini-batch are not finite.
std::vector<std::string> culprits(const TrainingStep& step) {
    std::vector<std::string> names;
    for (size_t t = 0; t < step.gradients.task_count(); ++t) {
        auto shared = step.gradients.shared(t);
        shared.resize(step.gradients.shared_count());
        if (!global_norm(shared).isfinite().item<bool>())
            names.push_back(step.trainer.model().tasks()[t].name);
    }
    return names;
}

/// What is wrong first: a loss makes gradients wrong too.
std::string wrong_part(const TrainingStep& step, const torch::Tensor& finite, bool now) {
    const auto& tasks = step.trainer.model().tasks();
    const auto count = static_cast<int64_t>(tasks.size());
    for (int64_t i = 0; i < 2 * count; ++i)
        if (!finite[i].item<bool>())
            return fmt::format("{} of task '{}'", i < count ? "a loss" : "gradients of the head",
                               tasks[static_cast<size_t>(i % count)].name);
    const auto names = now ? culprits(step) : std::vector<std::string>();
    return names.empty() ? "shared gradients"
                         : fmt::format("shared gradients of task '{}'", fmt::join(names, "', '"));
}

void add_batch(TensorMap& tensors, const std::string& prefix, const Batch& batch,
               const std::vector<TaskSpec>& tasks) {
    tensors[prefix + "image"] = batch.image;
    tensors[prefix + "indices"] = torch::tensor(batch.indices, torch::kLong);
    for (size_t t = 0; t < tasks.size(); ++t) {
        tensors[prefix + "target." + tasks[t].name] = batch.targets.at(t).value;
        tensors[prefix + "mask." + tasks[t].name] = batch.targets.at(t).mask;
    }
}

}  // namespace

FiniteGuard::FiniteGuard(std::filesystem::path folder, int64_t every, int64_t rank)
    : folder_(std::move(folder)), every_(every), rank_(rank) {
    if (every < 1) throw Error("configuration", "check_finite_every", "at least 1", std::to_string(every));
}

void FiniteGuard::after_gradients(TrainingStep& step) {
    seen_.push_back({step.trainer.iteration(), step.batches, finite_flags(step)});
    if (static_cast<int64_t>(seen_.size()) < every_) return;
    check(step);
    seen_.clear();
}

void FiniteGuard::check(TrainingStep& step) {
    std::vector<torch::Tensor> flags;
    for (const auto& seen : seen_) flags.push_back(seen.finite);
    const auto finite = torch::stack(flags).cpu();
    if (finite.all().item<bool>()) return;
    for (size_t i = 0; i < seen_.size(); ++i) {
        const auto of_iteration = finite[static_cast<int64_t>(i)];
        if (of_iteration.all().item<bool>()) continue;
        report(step, seen_[i], wrong_part(step, of_iteration, i + 1 == seen_.size()));
    }
}

void FiniteGuard::report(TrainingStep& step, const Seen& seen, const std::string& found) const {
    TensorMap tensors;
    for (size_t n = 0; n < seen.batches.size(); ++n)
        add_batch(tensors, fmt::format("{}.", n), seen.batches[n], step.trainer.model().tasks());
    const auto of_rank = rank_ == 0 ? "" : fmt::format("_rank{}", rank_);
    save_tensors(folder_ / fmt::format("not_finite_batch{}.pt", of_rank), tensors);
    if (rank_ == 0) save_tensors(folder_ / "not_finite_model.pt", module_state(step.trainer.model()));
    throw Error("training", fmt::format("iteration {}", seen.iteration), "finite losses and gradients",
                fmt::format("{} that is not; mini-batch and model are in {}/not_finite_*.pt", found,
                            folder_.string()));
}

}  // namespace mtlprune
