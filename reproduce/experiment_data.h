// From an experiment's data description to batches.
#pragma once

#include <memory>

#include "reproduce/experiment.h"

namespace mtlprune {

/// The named split ("train" or "test"), resized to render_height x render_width when those are given.
std::shared_ptr<const Dataset> open_split(const DataConfig& config, const std::string& split);

/// An augmenting, shuffling loader of the training split for one seed; its batches are for `device`.
std::unique_ptr<Loader> training_loader(const DataConfig& config, int64_t batch_size, uint64_t seed,
                                        torch::Device device = torch::kCPU);

/// The whole split through the test transform, in order, on `device`.
std::vector<Batch> collect_split(const DataConfig& config, const std::string& split,
                                 torch::Device device = torch::kCPU, int64_t batch_size = 8);

}  // namespace mtlprune
