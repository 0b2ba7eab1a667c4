// What a stage does beside training: checkpoints, progress, and the rows of its evaluations.
#pragma once

#include <functional>
#include <vector>

#include "pruning/masks/weight_mask_training.h"
#include "pruning/schedules/iterative_pruner.h"
#include "reproduce/stages/network_evaluations.h"
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

/// Evaluates every `evaluate_every` iterations and at the end; see NetworkEvaluations. Where weights are
/// masked
/// (`masks` is not null), no network is selected whose masks are not the last ones.
class TrainingEvaluations : public Callback {
  public:
    TrainingEvaluations(StageContext& context, int64_t event,
                        std::shared_ptr<const WeightMaskTraining> masks = nullptr)
        : context_(context), event_(event), masks_(std::move(masks)), evaluations_(context) {}
    std::string name() const override { return "evaluations"; }
    void between_steps(Trainer& trainer) override;
    TensorMap state() const override { return evaluations_.state(); }
    void load_state(const TensorMap& state) override { evaluations_.load_state(state); }

    NetworkEvaluations& evaluations() { return evaluations_; }
    int64_t selected_iteration() const { return selected_iteration_; }

  private:
    StageContext& context_;
    int64_t event_;
    std::shared_ptr<const WeightMaskTraining> masks_;
    NetworkEvaluations evaluations_;
    int64_t selected_iteration_ = -1;
};

/// Evaluates every `evaluate_every` iterations and at the end of every window of iterative pruning, just
/// before the next event. Window k follows k events; its network has rows of size and scores at the selected
/// step.
class WindowEvaluations : public Callback {
  public:
    WindowEvaluations(StageContext& context, std::shared_ptr<const IterativePruner> pruner)
        : context_(context), pruner_(std::move(pruner)), evaluations_(context) {}
    std::string name() const override { return "evaluations"; }
    void between_steps(Trainer& trainer) override;
    TensorMap state() const override { return evaluations_.state(); }
    void load_state(const TensorMap& state) override { evaluations_.load_state(state); }

    NetworkEvaluations& evaluations() { return evaluations_; }

  private:
    StageContext& context_;
    std::shared_ptr<const IterativePruner> pruner_;
    NetworkEvaluations evaluations_;
};

}  // namespace mtlprune
