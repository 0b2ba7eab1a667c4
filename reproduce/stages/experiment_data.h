// From an experiment's data description to batches.
#pragma once

#include <memory>

#include "reproduce/stages/experiment.h"

namespace mtlprune {

/// The named split ("train" or "test"); files are resized to resize_height x resize_width when those are
/// given. `dense_labels`: the synthetic rooms' keypoints and edges too.
std::shared_ptr<const Dataset> open_split(const DataConfig& config, const std::string& split,
                                          bool dense_labels = false);

/// An augmenting, shuffling loader of the training split for one seed; its batches are for `device`.
std::unique_ptr<Loader> training_loader(const DataConfig& config, int64_t batch_size, uint64_t seed,
                                        torch::Device device = torch::kCPU);

/// The whole split through the test transform, in order, on `device`.
std::vector<Batch> collect_split(const DataConfig& config, const std::string& split,
                                 torch::Device device = torch::kCPU, int64_t batch_size = 8);

}  // namespace mtlprune
