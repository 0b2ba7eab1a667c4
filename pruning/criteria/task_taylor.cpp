// Taylor importance of every task by itself, then combined: where tasks conflict, the gradient of the sum of
// the losses may vanish for a channel that all of them need.
#include <torch/utils.h>

#include "base/enum_names.h"
#include "pruning/criteria/event_mean.h"
#include "pruning/criteria/task_scores.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune {
namespace {

enum class TaskCombination { sum, max, rank };

const EnumNames<TaskCombination> kTaskCombinations = {
    {TaskCombination::sum, "sum"}, {TaskCombination::max, "max"}, {TaskCombination::rank, "rank"}};

/// Score = sum or maximum over tasks t of the mean over mini-batches of (dL_t/dgate)^2, each task's divided
/// by their sum; or the mean over tasks of the channel's relative rank among all.
class TaskTaylor : public GroupwiseMean {
  public:
    TaskTaylor(MeanOptions mean, TaskCombination combination, TaskNormaliser normaliser)
        : GroupwiseMean("task_taylor", mean), combination_(combination), normaliser_(normaliser) {}
    Needs needs() const override { return {.task_gradients = true}; }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        auto groups = normalise_tasks(means(), normaliser_);
        if (combination_ == TaskCombination::rank) groups = ranks_among_all(groups);
        for (auto& group : groups) group = combined(group);
        return scores_of_asked(now, groups);
    }

  protected:
    torch::Tensor contribution(const Evidence& batch, size_t i) override {
        return task_gate_gradients(batch, i, name()).square();
    }

  private:
    torch::Tensor combined(const torch::Tensor& tasks) const {
        if (combination_ == TaskCombination::sum) return tasks.sum(1);
        return combination_ == TaskCombination::max ? tasks.amax(1) : tasks.mean(1);
    }

    TaskCombination combination_;
    TaskNormaliser normaliser_;
};

}  // namespace

Registry<Criterion>::Entry task_taylor_criterion() {
    std::vector<Option> options = {
        {"combine", "max", "tasks: sum, maximum, or mean of the channel's ranks", kTaskCombinations.names()},
        task_normaliser_option("sum")};
    for (auto& shared : mean_options()) options.push_back(shared);
    return {
        {.key = "task_taylor",
         .summary = "taylor of every task by itself, combined over tasks (how is assumed, not published)",
         .paper = "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019, per task "
                  "as in the code of Garg et al., Pruned-and-Branched MTL",
         .options = options},
        [](const nlohmann::json& options) {
            return std::make_unique<TaskTaylor>(
                read_mean_options(options),
                kTaskCombinations.value(options.at("combine").get<std::string>(), "combine"),
                read_task_normaliser(options));
        }};
}

}  // namespace mtlprune
