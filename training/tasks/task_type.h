// What each kind of task means for training.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "training/fidelity.h"
#include "training/metrics.h"

namespace mtlprune {

/// One kind of task: its loss, its metrics and the best predictions without an image. One file per kind in
/// this folder; the form of its labels and targets is in datasets/pipeline/label_kind.h.
class TaskType {
  public:
    virtual ~TaskType() = default;
    virtual TaskKind kind() const = 0;
    /// What is measured, in the order of tables, under plain names.
    virtual std::vector<MetricInfo> metrics(const TaskSpec& task) const = 0;
    /// See task_loss() and make_task_metrics().
    virtual torch::Tensor loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                               Fidelity fidelity) const = 0;
    virtual std::unique_ptr<TaskMetrics> make_metrics(const TaskSpec& task, Fidelity fidelity) const = 0;

    /// The prediction [1,C,1,1], float64, that fits the training targets (one per batch) best without looking
    /// at the image: class shares, mean normal, median value. Throws Error when no target is valid.
    virtual torch::Tensor constant(const TaskSpec& task, const std::vector<Target>& train) const = 0;
    /// The same for every position of the target, [1,C,H,W]; constant() where no training target is valid. A
    /// kind without positions gives [1,C,1,1]. Throws Error for targets of different sizes too.
    virtual torch::Tensor by_position(const TaskSpec& task, const std::vector<Target>& train) const = 0;
};

/// Every kind, in the order of lists.
const std::vector<const TaskType*>& task_types();

const TaskType& task_type(TaskKind kind);

/// By the kind's name. Throws Error naming the nearest.
const TaskType& task_type(const std::string& name);

}  // namespace mtlprune
