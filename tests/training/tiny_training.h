// A network and mini-batches so small that a test can train them many times.
#pragma once

#include "tests/paper_network.h"
#include "tests/random_batch.h"
#include "training/trainer.h"

namespace mtlprune {

inline PaperModel tiny_model(double dropout = 0.0, torch::Dtype type = torch::kFloat) {
    PaperNetwork config;
    config.channels = {4, 5};
    config.poolings = {1};
    config.hidden = 6;
    config.dropout = dropout;
    config.tasks = nyuv2_tasks(5);
    auto model = build(config);
    model->initialise(3);
    model->to(type);
    model->train();
    return model;
}

/// Mini-batches `from`, from + 1, ...
inline Trainer::NextBatch tiny_batches(int64_t from = 0) {
    return [next = from]() mutable { return random_batch(static_cast<uint64_t>(next++), 8); };
}

/// A task weighting so quick that a few iterations show what it does.
inline std::string quick_weighting(const std::string& key) {
    if (key == "adapmtl") return "adapmtl:start=1,window=1";
    return key == "dwa" ? "dwa:every=2" : key;
}

inline TensorMap copied(const TensorMap& tensors) {
    TensorMap copies;
    for (const auto& [name, tensor] : tensors) copies[name] = tensor.clone();
    return copies;
}

/// The two mini-batches as one.
inline Batch joined(const Batch& a, const Batch& b) {
    Batch both{torch::cat({a.image, b.image}), {}, a.indices};
    both.indices.insert(both.indices.end(), b.indices.begin(), b.indices.end());
    for (size_t t = 0; t < a.targets.size(); ++t)
        both.targets.push_back({torch::cat({a.targets[t].value, b.targets[t].value}),
                                torch::cat({a.targets[t].mask, b.targets[t].mask})});
    return both;
}

}  // namespace mtlprune
