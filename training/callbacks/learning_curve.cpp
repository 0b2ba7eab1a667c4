#include "training/callbacks/learning_curve.h"

#include <torch/utils.h>

#include "training/trainer.h"

namespace mtlprune {

void LearningCurve::after_gradients(TrainingStep& step) {
    const torch::NoGradGuard no_grad;
    const auto losses = step.gradients.losses().to(torch::kDouble);
    sums_ = sums_.defined() ? sums_ + losses : losses;
    ++iterations_;
    for (const auto& batch : step.batches) images_ += batch.image.size(0);
}

void LearningCurve::after_step(Trainer& trainer) {
    if (trainer.iteration() % every_ != 0 || iterations_ == 0) return;
    const auto means = (sums_ / iterations_).cpu().contiguous();
    const double* values = means.data_ptr<double>();
    const auto& options = trainer.options();
    points_.push_back(
        {trainer.iteration(),
         learning_rate(options.learning_rate_schedule, options.optimizer.lr, trainer.iteration() - 1),
         {values, values + means.numel()}});
    if (watcher_) watcher_(points_.back(), images_);
    sums_ = torch::Tensor();
    iterations_ = images_ = 0;
}

/// "points": a row per point with iteration, rate and losses.
TensorMap LearningCurve::state() const {
    std::vector<double> flat;
    for (const auto& point : points_) {
        flat.push_back(static_cast<double>(point.iteration));
        flat.push_back(point.learning_rate);
        flat.insert(flat.end(), point.losses.begin(), point.losses.end());
    }
    const auto rows = static_cast<int64_t>(points_.size());
    TensorMap state = {{"points", torch::tensor(flat, torch::kDouble).view({rows, rows > 0 ? -1 : 2})},
                       {"iterations", torch::tensor(iterations_)},
                       {"images", torch::tensor(images_)}};
    if (sums_.defined()) state["sums"] = sums_;
    return state;
}

void LearningCurve::load_state(const TensorMap& state) {
    if (state.empty()) return;  // a checkpoint from before there was a curve
    points_.clear();
    const auto rows = state.at("points").contiguous();
    for (int64_t i = 0; i < rows.size(0); ++i) {
        const double* row = rows.data_ptr<double>() + i * rows.size(1);
        points_.push_back({static_cast<int64_t>(row[0]), row[1], {row + 2, row + rows.size(1)}});
    }
    iterations_ = state.at("iterations").item<int64_t>();
    images_ = state.at("images").item<int64_t>();
    const auto sums = state.find("sums");
    sums_ = sums != state.end() ? sums->second.clone() : torch::Tensor();
}

}  // namespace mtlprune
