#include "pruning/regularizers/closed_channels.h"

#include <torch/utils.h>

namespace mtlprune {

void ClosedChannels::close(Trainer& trainer, const RegularizedGroup& group, const torch::Tensor& channels) {
    if (channels.numel() == 0) return;
    for (const auto& readers : group.readers) {
        torch::Tensor parameter = readers.parameter;
        const auto indices = readers.indices_of(channels);
        auto& stored = stored_[readers.name];
        if (!stored.defined()) stored = torch::zeros_like(parameter.detach());
        stored.index_copy_(readers.dim, indices, parameter.detach().index_select(readers.dim, indices));
        parameter.index_fill_(readers.dim, indices, 0.0);
        trainer.zero_state(parameter, readers.dim, indices);
    }
}

void ClosedChannels::reopen(const RegularizedGroup& group, const torch::Tensor& channels) const {
    if (channels.numel() == 0) return;
    for (const auto& readers : group.readers) {
        const auto indices = readers.indices_of(channels);
        torch::Tensor(readers.parameter)
            .index_copy_(readers.dim, indices, stored_.at(readers.name).index_select(readers.dim, indices));
    }
}

std::vector<torch::Tensor> ClosedChannels::gate_gradients(
    const RegularizedGroup& group, const torch::Tensor& open,
    const std::map<std::string, std::vector<torch::Tensor>>& task_gradients) const {
    std::vector<torch::Tensor> tasks;
    for (const auto& readers : group.readers) {
        const auto found = task_gradients.find(readers.name);
        if (found == task_gradients.end()) continue;
        auto weights = readers.parameter.detach();
        if (const auto stored = stored_.find(readers.name); stored != stored_.end())
            weights =
                torch::where(readers.spread((~open).to(torch::kDouble)) != 0.0, stored->second, weights);
        tasks.resize(found->second.size());
        for (size_t t = 0; t < tasks.size(); ++t) {
            const auto term = readers.rows(weights * found->second[t]).sum(1, false, torch::kDouble);
            tasks[t] = tasks[t].defined() ? tasks[t] + term : term;
        }
    }
    for (auto& task : tasks) task = task.abs();
    return on_host(tasks);
}

void ClosedChannels::load_state(const TensorMap& state) {
    stored_.clear();
    for (const auto& [name, tensor] : state) stored_[name] = tensor.clone();
}

}  // namespace mtlprune
