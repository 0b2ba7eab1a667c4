// Closed forms of the model's size and work, without building it.
#pragma once

#include <cstdint>

#include "models/multi_task_model.h"

namespace mtlprune {

/// Weights and biases of the backbone.
int64_t backbone_parameter_count(const ModelConfig& config);

/// Weights and biases of the head of task number `task`.
int64_t head_parameter_count(const ModelConfig& config, size_t task);

/// All weights and biases; equals the sum over MultiTaskModel(config)->parameters().
int64_t parameter_count(const ModelConfig& config);

/// Multiply-accumulates of the convolutions for one image; biases, ReLU and pooling count nothing.
struct ConvMacs {
    int64_t backbone = 0;
    int64_t heads = 0;  ///< all heads together
    int64_t total() const { return backbone + heads; }
};

/// For one image of height x width.
ConvMacs conv_macs(const ModelConfig& config, int64_t height, int64_t width);

/// What ptflops 0.6.9 reports as MACs: convolutions, plus one per output element for each bias and ReLU, plus
/// one per input element of each pooling. The released code runs the backbone once per task, which ptflops
/// counts.
ConvMacs ptflops_macs(const ModelConfig& config, int64_t height, int64_t width);

}  // namespace mtlprune
