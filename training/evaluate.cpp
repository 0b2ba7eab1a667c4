#include "training/evaluate.h"

#include <torch/utils.h>

#include <functional>

#include "base/error.h"
#include "base/json_reader.h"
#include "models/eval_mode.h"
#include "training/losses.h"
#include "training/tasks/task_type.h"

namespace mtlprune {
namespace {

class SplitMetrics {
  public:
    SplitMetrics(const std::vector<TaskSpec>& tasks, const Fidelities& fidelity)
        : tasks_(tasks), losses_(fidelity.losses) {
        for (const auto& task : tasks) metrics_.push_back(make_task_metrics(task, fidelity.metrics));
        sums_.assign(tasks.size(), 0.0);
        counts_.assign(tasks.size(), 0);
    }

    void add(const std::vector<torch::Tensor>& predictions, const std::vector<Target>& targets) {
        for (size_t t = 0; t < tasks_.size(); ++t) {
            metrics_[t]->add(predictions[t], targets[t]);
            const double loss = task_loss(tasks_[t], predictions[t], targets[t], losses_).item<double>();
            sums_[t] += loss;
            ++counts_[t];
        }
    }

    Evaluation result() const {
        Evaluation evaluation;
        std::vector<double> values;
        for (size_t t = 0; t < tasks_.size(); ++t) {
            evaluation.losses.push_back(sums_[t] / static_cast<double>(counts_[t]));
            for (const double value : metrics_[t]->values()) values.push_back(value);
        }
        for (auto& info : metric_definitions(tasks_))
            evaluation.metrics.push_back({std::move(info), values.at(evaluation.metrics.size())});
        return evaluation;
    }

  private:
    std::vector<TaskSpec> tasks_;
    Fidelity losses_;
    std::vector<std::unique_ptr<TaskMetrics>> metrics_;
    std::vector<double> sums_;
    std::vector<int64_t> counts_;
};

/// One column per image.
class ImageColumns {
  public:
    ImageColumns(const std::vector<TaskSpec>& tasks, Fidelity metrics) : tasks_(tasks), metrics_(metrics) {}

    void add(const std::vector<torch::Tensor>& predictions, const std::vector<Target>& targets) {
        for (int64_t image = 0; image < predictions.at(0).size(0); ++image) {
            std::vector<double> values;
            std::vector<torch::Tensor> labelled;
            for (size_t t = 0; t < tasks_.size(); ++t) {
                const auto& [value, mask] = targets[t];
                const Target target{value.narrow(0, image, 1), mask.narrow(0, image, 1)};
                const auto metrics = make_task_metrics(tasks_[t], metrics_);
                metrics->add(predictions[t].narrow(0, image, 1), target);
                for (const double metric : metrics->values()) values.push_back(metric);
                labelled.push_back(target.mask.sum().cpu());
            }
            values_.push_back(torch::tensor(values, torch::kDouble).to(torch::kFloat));
            labelled_.push_back(torch::stack(labelled));
        }
    }

    ImageMetrics result() const { return {torch::stack(values_, 1), torch::stack(labelled_, 1)}; }

  private:
    const std::vector<TaskSpec>& tasks_;
    Fidelity metrics_;
    std::vector<torch::Tensor> values_, labelled_;
};

using Fit = std::function<torch::Tensor(const TaskType&, const TaskSpec&, const std::vector<Target>&)>;

/// The quality on `test` of what `fit` makes of each task's training targets, the same for every image.
Evaluation evaluate_blind(const std::vector<TaskSpec>& tasks, const std::vector<Batch>& train,
                          const std::vector<Batch>& test, const Fidelities& fidelity, const Fit& fit) {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> fitted;
    for (size_t t = 0; t < tasks.size(); ++t) {
        std::vector<Target> targets;
        for (const auto& batch : train) targets.push_back(batch.targets.at(t));
        fitted.push_back(fit(task_type(tasks[t].kind), tasks[t], targets).to(torch::kFloat));
    }
    SplitMetrics metrics(tasks, fidelity);
    for (const auto& batch : test) {
        std::vector<torch::Tensor> predictions;
        for (const auto& prediction : fitted)
            predictions.push_back(prediction.expand({batch.size(), -1, -1, -1}));
        metrics.add(predictions, batch.targets);
    }
    return metrics.result();
}

}  // namespace

double Evaluation::total_loss() const {
    double sum = 0.0;
    for (const double loss : losses) sum += loss;
    return sum;
}

const Metric& Evaluation::metric(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& metric : metrics) {
        if (metric.name == name) return metric;
        names.push_back(metric.name);
    }
    throw Error("evaluation: no metric '" + name + "'" + did_you_mean(name, names));
}

Evaluation evaluate(Model& model, const std::vector<Batch>& batches, const Fidelities& fidelity,
                    ImageMetrics* images) {
    const torch::NoGradGuard no_grad;
    const EvalMode eval_mode(model);
    SplitMetrics metrics(model.tasks(), fidelity);
    const auto tasks = model.tasks();
    ImageColumns columns(tasks, fidelity.metrics);
    const auto device = model.parameters().front().device();
    for (const auto& on_host : batches) {
        const auto batch = device.is_cpu() ? on_host : on_host.to(device);
        const auto predictions = model.forward(batch.image);
        metrics.add(predictions, batch.targets);
        if (images != nullptr) columns.add(predictions, batch.targets);
    }
    if (images != nullptr) *images = columns.result();
    return metrics.result();
}

Evaluation evaluate_constant(const std::vector<TaskSpec>& tasks, const std::vector<Batch>& train,
                             const std::vector<Batch>& test, const Fidelities& fidelity) {
    return evaluate_blind(tasks, train, test, fidelity,
                          [](const TaskType& type, const TaskSpec& task, const std::vector<Target>& targets) {
                              return type.constant(task, targets);
                          });
}

Evaluation evaluate_by_position(const std::vector<TaskSpec>& tasks, const std::vector<Batch>& train,
                                const std::vector<Batch>& test, const Fidelities& fidelity) {
    return evaluate_blind(tasks, train, test, fidelity,
                          [](const TaskType& type, const TaskSpec& task, const std::vector<Target>& targets) {
                              return type.by_position(task, targets);
                          });
}

}  // namespace mtlprune
