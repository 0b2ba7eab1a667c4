// Losses and metrics of a network, or of the best predictions without an image, on a whole split.
#pragma once

#include <vector>

#include "datasets/contract/batch.h"
#include "models/model.h"
#include "training/metrics.h"

namespace mtlprune {

struct Evaluation {
    std::vector<double> losses;   ///< per task: mean over batches, unweighted
    std::vector<Metric> metrics;  ///< all tasks' metrics, in the order and with the names of
                                  ///< metric_definitions()
    double total_loss() const;
    /// By name; throws Error when there is no such metric.
    const Metric& metric(const std::string& name) const;
};

/// What each image would have as a split of its own, in the order of the batches.
struct ImageMetrics {
    torch::Tensor values;    ///< float32 [metrics, images] on the CPU, NaN where nothing is labelled
    torch::Tensor labelled;  ///< int64 [tasks, images] on the CPU: pixels (or images: 0, 1) with a label
};

/// Runs the network in eval mode without gradients (its mode is restored). Fills `images` if given.
Evaluation evaluate(Model& model, const std::vector<Batch>& batches, const Fidelities& fidelity,
                    ImageMetrics* images = nullptr);

/// The constant prediction fitted on `train`: most frequent class, mean normal, median depth. The yardstick
/// that a trained network must beat.
Evaluation evaluate_constant(const std::vector<TaskSpec>& tasks, const std::vector<Batch>& train,
                             const std::vector<Batch>& test, const Fidelities& fidelity);

/// The prediction that knows only the position of a pixel, fitted on `train` for each position of the target:
/// most frequent class, mean normal, median depth. What a network must beat to have used the image at all.
Evaluation evaluate_by_position(const std::vector<TaskSpec>& tasks, const std::vector<Batch>& train,
                                const std::vector<Batch>& test, const Fidelities& fidelity);

}  // namespace mtlprune
