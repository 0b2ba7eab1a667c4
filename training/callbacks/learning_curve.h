// Losses over the iterations of a training, as callbacks see them.
#pragma once

#include <functional>

#include "training/callback.h"

namespace mtlprune {

/// Mean losses of every `every` iterations. The sums stay on the model's device until then.
class LearningCurve : public Callback {
  public:
    struct Point {
        int64_t iteration;     ///< done when it was taken
        double learning_rate;  ///< of its last iteration
        std::vector<double>
            losses;  ///< per task, unweighted: means over the iterations since the point before
        bool operator==(const Point&) const = default;
    };
    /// Told of every new point, with the number of images since the one before.
    using Watcher = std::function<void(const Point& point, int64_t images)>;

    explicit LearningCurve(int64_t every, Watcher watcher = nullptr)
        : every_(every), watcher_(std::move(watcher)) {}

    std::string name() const override { return "learning_curve"; }
    void after_gradients(TrainingStep& step) override;
    void after_step(Trainer& trainer) override;
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

    const std::vector<Point>& points() const { return points_; }

  private:
    int64_t every_;
    Watcher watcher_;
    std::vector<Point> points_;
    torch::Tensor sums_;  ///< [T] double, since the last point
    int64_t iterations_ = 0, images_ = 0;
};

}  // namespace mtlprune
