// From an experiment's data description to batches.
#pragma once

#include <memory>

#include "reproduce/stages/experiment.h"

namespace mtlprune {

/// "train", "val" or "test" (which some layouts call otherwise: the last of their splits), with the
/// experiment's tasks; files are resized to resize_height x resize_width when those are given. Where
/// DataConfig::validation holds frames out of the training split, they are "val", and "train" is the rest;
/// other names are splits of the layout.
std::shared_ptr<const Dataset> open_split(const DataConfig& config, const std::string& split);

/// Opens the data set to see which tasks it has.
std::vector<TaskSpec> experiment_tasks(const DataConfig& config);

/// Both throw Error for frames that contradict how they are read (datasets/conventions/contradictions.h).
/// An augmenting, shuffling loader of the training split for one seed; its batches are for `device`.
/// `rank` of `ranks` takes its part of every mini-batch of `batch_size`, a multiple of `ranks`.
std::unique_ptr<Loader> training_loader(const DataConfig& config, int64_t batch_size, uint64_t seed,
                                        torch::Device device = torch::kCPU, int64_t rank = 0,
                                        int64_t ranks = 1);

/// The whole split through the test transform, in order, on `device`.
std::vector<Batch> collect_split(const DataConfig& config, const std::string& split,
                                 torch::Device device = torch::kCPU, int64_t batch_size = 8);

/// Every frame of the training split, those that are held out included: what predictors without an image are
/// fitted on, which select nothing.
std::vector<Batch> collect_all_training_frames(const DataConfig& config);

}  // namespace mtlprune
