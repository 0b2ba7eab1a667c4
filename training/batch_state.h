// Mini-batches in a checkpoint.
#pragma once

#include "datasets/contract/batch.h"
#include "training/checkpoint.h"

namespace mtlprune {

/// "image", "indices", "weight", and "target.<t>" and "mask.<t>" of every task; the tensors are shared.
TensorMap batch_state(const Batch& batch);
Batch batch_of(const TensorMap& state, torch::Device device);

/// The same of several, under "<number>.".
TensorMap batches_state(const std::vector<Batch>& batches);
std::vector<Batch> batches_of(const TensorMap& state, torch::Device device);

}  // namespace mtlprune
