// The learning curve of a stage as files: curve.csv, and an event file for TensorBoard.
#pragma once

#include <chrono>

#include "reproduce/stages/stage_kinds.h"
#include "training/callbacks/learning_curve.h"

namespace mtlprune {

/// Points go to the event file as they come. Its clock counts a second per
/// iteration, so that repetitions and kills change no byte of it.
class CurveFiles {
  public:
    explicit CurveFiles(StageContext& context) : context_(context) {}

    /// Writes the event file anew with these points; later ones follow. At the start, and after a resume.
    void begin(const std::vector<LearningCurve::Point>& points);
    /// Also says in the stage's status what the losses are, how many images a second, and how much memory the
    /// process has taken.
    void add(const LearningCurve::Point& point, int64_t images);
    /// curve.csv: iteration, learning_rate, a loss per task.
    void finish(const std::vector<LearningCurve::Point>& points);

  private:
    using Clock = std::chrono::steady_clock;
    std::string event(const LearningCurve::Point& point) const;

    StageContext& context_;
    Clock::time_point last_ = Clock::now();
};

}  // namespace mtlprune
