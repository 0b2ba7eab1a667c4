// What tasks with one target per pixel have in common.
#pragma once

#include <torch/types.h>

#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "training/fidelity.h"

namespace mtlprune {

/// Nearest-neighbour resize of the last two dimensions to height x width for any type, with exactly the index
/// rule of torch's interpolate(mode="nearest"): source = min(floor(float(i) * float(in)/float(out)), in - 1).
torch::Tensor nearest_resize(const torch::Tensor& x, int64_t height, int64_t width);

/// "[2, 3]", for messages.
std::string shape_text(const torch::Tensor& tensor);

/// Throws Error naming `subject` and the task unless prediction is [B,channels,h,w] and the target's mask
/// [B,1,H,W] and value ([B,H,W] when `classes`, else [B,channels,H,W]) fit it and each other.
void require_pixel_shapes(const char* subject, const TaskSpec& task, const torch::Tensor& prediction,
                          const Target& target, bool classes);

/// Values of a precision below float32 as float32.
torch::Tensor at_least_float(const torch::Tensor& values);

/// The target at the prediction's size: value (in the prediction's type, 0 where not valid) and mask.
Target resized_target(const Target& target, const torch::Tensor& prediction);

/// Mean of `losses` where the mask is true; none there: 0 (corrected) or NaN (as released).
torch::Tensor mean_where(const torch::Tensor& mask, const torch::Tensor& losses, Fidelity fidelity);
torch::Tensor weighted_mean_where(const torch::Tensor& mask, const torch::Tensor& losses,
                                  const torch::Tensor& weights, Fidelity fidelity);

/// Sum over the valid pixels, float64 scalar.
torch::Tensor masked_sum(const torch::Tensor& values, const torch::Tensor& mask);

/// The mean of a quantity over pixels, from per-batch sums. corrected: pooled over all pixels. as_released:
/// the batches' means, weighted by their number of images (NaN after a batch without a valid pixel).
class PixelMean {
  public:
    explicit PixelMean(Fidelity fidelity) : fidelity_(fidelity) {}
    void add(double sum, double pixels, int64_t images) {
        const bool pooled = fidelity_ == Fidelity::corrected;
        sum_ += pooled ? sum : sum / pixels * static_cast<double>(images);
        weight_ += pooled ? pixels : static_cast<double>(images);
    }
    /// NaN when nothing was added.
    double value() const { return sum_ / weight_; }

  private:
    Fidelity fidelity_;
    double sum_ = 0.0;
    double weight_ = 0.0;
};

/// Throws Error naming the task unless there are training targets and all have one height and width.
void require_one_size(const TaskSpec& task, const std::vector<Target>& train);

/// `found` where `known` (bool, of the same height and width), else the constant [1,C,1,1].
torch::Tensor or_constant(const torch::Tensor& found, const torch::Tensor& known,
                          const torch::Tensor& constant);

/// Throws Error naming the task when `constant` is not finite, as it is without a valid training target.
torch::Tensor known_constant(const TaskSpec& task, const torch::Tensor& constant);

}  // namespace mtlprune
