// Iterative pruning: every `frequency` mini-batches the channels with the lowest scores leave, until every
// layer is at its floor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pruning/network/network.h"
#include "pruning/network/pruner.h"
#include "pruning/regularizers/regularization.h"
#include "pruning/schedules/patience.h"
#include "pruning/search/search.h"
#include "training/trainer.h"

namespace mtlprune {

struct IterativePrunerOptions {
    int64_t frequency = 500;  ///< mini-batches of a window, whose last one prunes
    /// More than 0: only a window prunes that comes after so many without better losses (the sum over tasks,
    /// averaged over a window; its own last mini-batch counts in the next). At the last event it starts
    /// again.
    int64_t patience = 0;
    AllocationOptions allocation;  ///< of every event
    /// Stop at the end of the first window that reaches this many mini-batches; 0: when nothing can leave any
    /// more.
    int64_t iterations = 0;
    int64_t events = 0;      ///< no more than this; 0: as many as it takes
    Pace pace = Pace::each;  ///< in which `events` events approach the budget
    /// How many mini-batches at the end of a window a criterion sees that runs passes of its own, and a
    /// search.
    int64_t observed = 10;
    /// mask: channels stay, as zeros.
    EditKind edit = EditKind::remove;
    bool reset_optimizer = false;  ///< after every event
    /// as_released: the optimiser sees last task + total + total again, the latter, at an event, through
    /// gates already closed (the main paper's released loop).
    Fidelity update = Fidelity::corrected;
};

/// The groups (by name) of what all tasks share, see Model::shared_parameters().
inline constexpr const char* kSharedGroups = "(?!heads\\.).*";

/// The main paper's event: the `filters` lowest of all channels that all tasks share leave, every group keeps
/// `floor` (0 is possible with masks only).
AllocationOptions lowest_of_shared(int64_t filters, int64_t floor);

/// Prunes the model of a trainer, and stops it when nothing is left to do. An event happens after the
/// gradients were taken and before they are used, as in the main paper.
class IterativePruner : public Callback {
  public:
    /// `example` [1,3,H,W] is traced to find the coupled channels. `model` must be the trainer's. The
    /// regulariser, if there is one, works until the last event. A search, if there is one, takes the place
    /// of the allocation, whose limits still hold and whose budget ends the events when it is met. It
    /// evaluates candidates on the last mini-batches of the window, which a checkpoint therefore holds.
    /// `unpruned`: for a model that has the widths of a state that is to be loaded, the network as it was
    /// before the events of that state, so that shares and floors refer to it as they did.
    IterativePruner(ModelPtr model, const torch::Tensor& example, std::unique_ptr<Criterion> criterion,
                    IterativePrunerOptions options, std::unique_ptr<Regularizer> regularizer = nullptr,
                    std::unique_ptr<Search> search = nullptr, const ModelPtr& unpruned = nullptr);

    std::string name() const override { return "pruner"; }
    bool needs_task_gradients() const override;
    void after_gradients(TrainingStep& step) override;
    void after_step(Trainer& trainer) override;
    void between_steps(Trainer& trainer) override;
    TensorMap state() const override;
    /// The model must already have the widths of the saved state.
    void load_state(const TensorMap& state) override;

    /// The next mini-batch ends a window that prunes, unless finished().
    bool due() const;
    /// No event will follow.
    bool finished() const;
    /// Mini-batches seen.
    int64_t iteration() const { return iteration_; }
    /// How many events it takes from the network as coupled until finished(), when every event takes all it
    /// may.
    int64_t expected_events() const;

    /// Events so far, oldest first.
    const std::vector<PruneEvent>& events() const { return events_; }
    const Pruner& pruner() const { return pruner_; }
    /// Channels of each group that may shrink.
    std::vector<int64_t> widths() const { return pruner_.widths(); }
    /// Per group, the scores [C] that the latest event ranked (present channels before it).
    const std::vector<torch::Tensor>& last_scores() const { return pruner_.last_scores(); }

    /// Is told how many groups of how many a search has seen.
    void tell_search_progress_to(std::function<void(int64_t done, int64_t total)> listener) {
        search_progress_ = std::move(listener);
    }

    /// Replaces the selection of the next event (tests of released trajectories): indices in the dense
    /// network.
    void force_next_selection(std::vector<std::vector<int64_t>> original_indices) {
        forced_ = std::move(original_indices);
    }

  private:
    bool is_mask() const { return options_.edit == EditKind::mask; }
    bool released_update() const { return options_.update == Fidelity::as_released; }
    bool asks_own_parameters() const;
    void set_gates();
    void observe(const TrainingStep& step);
    void observe_passes(const TrainingStep& step);
    /// The gates' part of a list of gradients, per group as it is now.
    std::vector<torch::Tensor> gate_gradients(const std::vector<torch::Tensor>& gradients) const;
    AllocationOptions allocation_now() const;
    /// More mini-batches than the iterations allow.
    bool is_capped() const { return options_.iterations > 0 && iteration_ + 1 >= options_.iterations; }
    /// The mini-batch belongs to those at the end of a window that are looked at.
    bool is_observed() const {
        return iteration_ % options_.frequency >= options_.frequency - options_.observed;
    }
    void keep_for_search(const TrainingStep& step);
    Allocation search(const std::vector<torch::Tensor>& scores, const AllocationOptions& allocation,
                      Fidelity losses);
    void update_met();
    PruneEvent choose(const TrainingStep& step);
    void close_gates(const PruneEvent& event);
    void regularize(const TrainingStep& step);
    void update_as_released(TrainingStep& step, bool prune);
    void carry_out(const PruneEvent& event, Trainer& trainer);
    /// Masked slices get no gradients, so that they stay zero.
    void mask_gradients();
    void remember_masked(const Plan& plan);

    ModelPtr model_;
    IterativePrunerOptions options_;
    ModuleNetwork network_;
    Pruner pruner_;
    StoredTensors tensors_;
    Regularization regularization_;
    std::unique_ptr<Search> search_;
    std::vector<Batch> search_batches_;  ///< the observed ones of the window so far
    std::function<void(int64_t, int64_t)> search_progress_;
    bool met_ = false;  ///< a search's budget
    Patience patience_;
    bool coupled_unpruned_;                  ///< load_state() has events to follow
    bool regularizes_ = true;                ///< until the last event
    std::vector<std::string> shared_names_;  ///< in the order of TaskGradients' lists
    bool asks_heads_ = false;                ///< groups of the tasks' own parts may shrink too
    std::vector<torch::Tensor> gates_;       ///< one per group; empty unless criterion or update need them
    MaskedIndices masked_;
    std::vector<PruneEvent> events_;
    std::vector<std::vector<int64_t>> forced_;
    int64_t iteration_ = 0;
    bool pruned_now_ = false;
};

}  // namespace mtlprune
