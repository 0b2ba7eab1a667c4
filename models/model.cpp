#include "models/model.h"

#include <algorithm>

#include "base/error.h"
#include "models/layers/dropout.h"

namespace mtlprune {
namespace {

std::string prefix_of(const TaskSpec& task) {
    return "heads." + task.name + ".";
}

}  // namespace

Model::Model(std::vector<TaskSpec> tasks) : tasks_(std::move(tasks)) {
    if (tasks_.empty()) throw Error("model", "tasks", "at least one task", "none");
    for (auto task = tasks_.begin(); task != tasks_.end(); ++task)
        if (std::any_of(tasks_.begin(), task, [&](const auto& other) { return other.name == task->name; }))
            throw Error("model", "tasks", "different names", "'" + task->name + "' twice");
}

std::vector<torch::Tensor> Model::forward(const torch::Tensor& image) {
    const auto shared = features(image);
    std::vector<torch::Tensor> predictions;
    for (size_t task = 0; task < tasks_.size(); ++task) predictions.push_back(predict(task, shared));
    return predictions;
}

NamedParameters Model::shared_parameters() const {
    NamedParameters shared;
    for (const auto& item : named_parameters()) {
        const auto of_task = [&](const TaskSpec& task) { return item.key().rfind(prefix_of(task), 0) == 0; };
        if (std::none_of(tasks_.begin(), tasks_.end(), of_task))
            shared.emplace_back(item.key(), item.value());
    }
    return shared;
}

NamedParameters Model::parameters_of(size_t task) const {
    NamedParameters own;
    for (const auto& item : named_parameters())
        if (item.key().rfind(prefix_of(tasks_.at(task)), 0) == 0) own.emplace_back(item.key(), item.value());
    return own;
}

void Model::set_dropout_key(uint64_t key) {
    set_dropout_keys(*this, key);
}

void Model::set_gates(const std::vector<torch::Tensor>& gates) {
    if (!gates.empty()) throw Error("model", "gates", "a network that was released with gates", "another");
}

}  // namespace mtlprune
