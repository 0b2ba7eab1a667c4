#include "training/evaluate.h"

#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

class SplitMetrics {
  public:
    SplitMetrics(const std::vector<TaskSpec>& tasks, Fidelity fidelity) : tasks_(tasks), fidelity_(fidelity) {
        for (const auto& task : tasks) metrics_.push_back(make_task_metrics(task, fidelity));
        sums_.assign(tasks.size(), 0.0);
        counts_.assign(tasks.size(), 0);
    }

    void add(const std::vector<torch::Tensor>& predictions, const std::vector<Target>& targets) {
        for (size_t t = 0; t < tasks_.size(); ++t) {
            metrics_[t]->add(predictions[t], targets[t]);
            const double loss = task_loss(tasks_[t], predictions[t], targets[t], fidelity_).item<double>();
            sums_[t] += loss;
            ++counts_[t];
        }
    }

    Evaluation result() const {
        Evaluation evaluation;
        for (size_t t = 0; t < tasks_.size(); ++t) {
            evaluation.losses.push_back(sums_[t] / static_cast<double>(counts_[t]));
            for (auto& metric : metrics_[t]->result()) evaluation.metrics.push_back(std::move(metric));
        }
        return evaluation;
    }

  private:
    std::vector<TaskSpec> tasks_;
    Fidelity fidelity_;
    std::vector<std::unique_ptr<TaskMetrics>> metrics_;
    std::vector<double> sums_;
    std::vector<int64_t> counts_;
};

/// [1,C,1,1]: the class scores, vector or value that fits the training targets best.
torch::Tensor best_constant(const TaskSpec& task, size_t index, const std::vector<Batch>& train) {
    if (task.kind == TaskKind::segmentation || task.kind == TaskKind::classification) {
        auto counts = torch::zeros({task.channels}, torch::kDouble);
        for (const auto& batch : train) {
            const auto& target = batch.targets.at(index);
            counts += torch::bincount(target.value.masked_select(target.mask.view_as(target.value)), {},
                                      task.channels);
        }
        return (counts / counts.sum()).view({1, -1, 1, 1});
    }
    if (task.kind == TaskKind::normals) {
        auto sum = torch::zeros({3}, torch::kDouble);
        for (const auto& batch : train) {
            const auto& target = batch.targets.at(index);
            sum += (target.value * target.mask).sum({0, 2, 3}).to(torch::kDouble);
        }
        return (sum / sum.norm()).view({1, 3, 1, 1});
    }
    std::vector<torch::Tensor> values;
    for (const auto& batch : train) {
        const auto& target = batch.targets.at(index);
        values.push_back(target.value.masked_select(target.mask));
    }
    return torch::cat(values).median().to(torch::kDouble).view({1, 1, 1, 1});
}

}  // namespace

double Evaluation::total_loss() const {
    double sum = 0.0;
    for (const double loss : losses) sum += loss;
    return sum;
}

double Evaluation::metric(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& metric : metrics) {
        if (metric.name == name) return metric.value;
        names.push_back(metric.name);
    }
    throw Error("evaluation: no metric '" + name + "'" + did_you_mean(name, names));
}

Evaluation evaluate(MultiTaskModel model, const std::vector<Batch>& batches, Fidelity fidelity,
                    const std::vector<torch::Tensor>* gates) {
    const torch::NoGradGuard no_grad;
    const bool was_training = model->is_training();
    model->eval();
    SplitMetrics metrics(model->config().tasks, fidelity);
    const auto device = model->parameters().front().device();
    for (const auto& on_host : batches) {
        const auto batch = device.is_cpu() ? on_host : on_host.to(device);
        const auto features = model->features(batch.image, gates);
        std::vector<torch::Tensor> predictions;
        for (size_t t = 0; t < model->task_count(); ++t) predictions.push_back(model->head(t, features));
        metrics.add(predictions, batch.targets);
    }
    model->train(was_training);
    return metrics.result();
}

Evaluation evaluate_constant(const std::vector<TaskSpec>& tasks, const std::vector<Batch>& train,
                             const std::vector<Batch>& test, Fidelity fidelity) {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> constants;
    for (size_t t = 0; t < tasks.size(); ++t)
        constants.push_back(best_constant(tasks[t], t, train).to(torch::kFloat));
    SplitMetrics metrics(tasks, fidelity);
    for (const auto& batch : test) {
        std::vector<torch::Tensor> predictions;
        for (size_t t = 0; t < tasks.size(); ++t)
            predictions.push_back(constants[t].expand({batch.size(), tasks[t].channels, 1, 1}));
        metrics.add(predictions, batch.targets);
    }
    return metrics.result();
}

}  // namespace mtlprune
