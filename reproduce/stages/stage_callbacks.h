// What a stage does beside training: checkpoints, progress, and the rows of its evaluations.
#pragma once

#include <functional>
#include <vector>

#include "pruning/schedules/iterative_pruner.h"
#include "reproduce/stages/stage_kinds.h"
#include "training/trainer.h"

namespace mtlprune {

/// The steps that led to the network as it is now.
using StepsNow = std::function<std::vector<Plan>()>;

/// Saves the trainer's state every 30 s (environment MTLPRUNE_CHECKPOINT_SECONDS), and tells how much is
/// done. Comes first among the callbacks, so that a resumed stage does what follows between the same steps.
class StageProgressKeeper : public Callback {
  public:
    /// `iterations`: how many are expected.
    StageProgressKeeper(StageContext& context, int64_t iterations, StepsNow steps)
        : context_(context), iterations_(iterations), steps_(std::move(steps)) {}
    std::string name() const override { return "progress"; }
    void between_steps(Trainer& trainer) override;

  private:
    StageContext& context_;
    int64_t iterations_;
    StepsNow steps_;
};

/// Evaluates every `evaluate_every` iterations and at the end; all evaluations are rows. Keeps the weights of
/// the one that the recipe selects.
class TrainingEvaluations : public Callback {
  public:
    TrainingEvaluations(StageContext& context, std::vector<Batch> test, int64_t event, StepsNow steps)
        : context_(context), test_(std::move(test)), event_(event), steps_(std::move(steps)) {}
    std::string name() const override { return "evaluations"; }
    void between_steps(Trainer& trainer) override;
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

    const Table& rows() const { return rows_; }
    int64_t selected_iteration() const { return best_iteration_; }
    const TensorMap& selected_network() const { return best_network_; }

  private:
    double score_of(const Evaluation& evaluation, bool last) const;

    StageContext& context_;
    std::vector<Batch> test_;
    int64_t event_;
    StepsNow steps_;
    Table rows_;
    int64_t best_iteration_ = -1;
    double best_score_ = 0.0;
    TensorMap best_network_;
};

/// Evaluates at the end of every window of iterative pruning, just before the next event, and every
/// `evaluate_every` iterations. Window k (after k events) has the rows of its last evaluation, or of the one
/// with the lowest loss.
class WindowEvaluations : public Callback {
  public:
    WindowEvaluations(StageContext& context, std::vector<Batch> test,
                      std::shared_ptr<const IterativePruner> pruner)
        : context_(context), test_(std::move(test)), pruner_(std::move(pruner)) {}
    std::string name() const override { return "evaluations"; }
    void between_steps(Trainer& trainer) override;
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

    const Table& rows() const { return rows_; }

  private:
    Table rows_of(const Evaluation& evaluation, const TaskWeighting& weighting) const;

    StageContext& context_;
    std::vector<Batch> test_;
    std::shared_ptr<const IterativePruner> pruner_;
    Table rows_, window_rows_;
    double window_loss_ = 0.0;
};

}  // namespace mtlprune
