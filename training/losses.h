// The main paper's task losses, computed at the prediction's size.
#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"

namespace mtlprune {

/// `corrected`: what the papers mean. `as_released`: what their released code computes, quirks included.
enum class Fidelity { corrected, as_released };

/// Nearest-neighbour resize of the last two dimensions to height x width for any type, with exactly the index
/// rule of torch's interpolate(mode="nearest"): source = min(floor(float(i) * float(in)/float(out)), in - 1).
torch::Tensor nearest_resize(const torch::Tensor& x, int64_t height, int64_t width);

/// The scores [B,C] of a classification task: the prediction itself, or the mean over the positions of
/// [B,C,h,w] (global average pooling of the head's map). Throws Error on any other shape.
torch::Tensor class_scores(const TaskSpec& task, const torch::Tensor& prediction);

/// Vectors along dimension 1 divided by their lengths (at least 1e-12, as torch's F.normalize).
torch::Tensor normalise(const torch::Tensor& vectors);

/// The scalar loss of one task; the target is nearest-resized to the prediction's h x w.
/// segmentation: cross entropy, mean over valid pixels (weighted by the task's class_weights, if any).
/// normals: 1 - mean cosine of the normalised prediction and normalised target over valid pixels. depth,
/// keypoints, edges: mean absolute error over valid pixels. classification: cross entropy of class_scores(),
/// mean over images with a class. A batch without a valid pixel gives 0 with zero gradients (corrected) or
/// NaN (as released). prediction [B,C,h,w]; classification also [B,C].
torch::Tensor task_loss(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                        Fidelity fidelity = Fidelity::corrected);

/// One scalar per task, in order.
std::vector<torch::Tensor> task_losses(const std::vector<TaskSpec>& tasks,
                                       const std::vector<torch::Tensor>& predictions,
                                       const std::vector<Target>& targets,
                                       Fidelity fidelity = Fidelity::corrected);

}  // namespace mtlprune
