#include "training/batch_state.h"

#include <torch/utils.h>

namespace mtlprune {

TensorMap batch_state(const Batch& batch) {
    TensorMap state = {{"image", batch.image},
                       {"indices", torch::tensor(batch.indices, torch::kLong)},
                       {"weight", torch::tensor(batch.weight, torch::kDouble)}};
    for (size_t t = 0; t < batch.targets.size(); ++t) {
        state["target." + std::to_string(t)] = batch.targets[t].value;
        state["mask." + std::to_string(t)] = batch.targets[t].mask;
    }
    return state;
}

Batch batch_of(const TensorMap& state, torch::Device device) {
    Batch batch;
    batch.image = state.at("image").to(device);
    const auto& indices = state.at("indices");
    batch.indices.assign(indices.data_ptr<int64_t>(), indices.data_ptr<int64_t>() + indices.numel());
    batch.weight = state.at("weight").item<double>();
    for (size_t t = 0; state.contains("target." + std::to_string(t)); ++t)
        batch.targets.push_back({state.at("target." + std::to_string(t)).to(device),
                                 state.at("mask." + std::to_string(t)).to(device)});
    return batch;
}

TensorMap batches_state(const std::vector<Batch>& batches) {
    TensorMap state;
    for (size_t i = 0; i < batches.size(); ++i)
        state.merge(with_prefix(std::to_string(i) + ".", batch_state(batches[i])));
    return state;
}

std::vector<Batch> batches_of(const TensorMap& state, torch::Device device) {
    std::vector<Batch> batches;
    while (true) {
        const auto one = entries_of(std::to_string(batches.size()) + ".", state);
        if (one.empty()) return batches;
        batches.push_back(batch_of(one, device));
    }
}

}  // namespace mtlprune
