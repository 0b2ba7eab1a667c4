// Iterative pruning: every `frequency` mini-batches the filters with the lowest scores leave, until every
// layer is at its floor.
#pragma once

#include <torch/optim/optimizer.h>

#include <memory>
#include <string>
#include <vector>

#include "models/multi_task_model.h"
#include "pruning/coupling/groups.h"
#include "pruning/criteria/criterion.h"
#include "training/task_gradients.h"

namespace mtlprune {

struct IterativePrunerOptions {
    int64_t frequency = 500;
    int64_t filters_per_event = 100;
    int64_t floor = 5;  ///< least channels per group; 0 is possible with masks only
    Fidelity fidelity = Fidelity::corrected;
    bool mask = false;  ///< multiply by 0/1 gates instead of removing (what the released code does)
};

/// What one event removed.
struct PruneEvent {
    std::vector<std::vector<int64_t>> removed;  ///< per group, indices in the dense network
    std::vector<int64_t> widths;                ///< per group, after the event
    std::vector<double> mean_scores;            ///< per group, over the channels alive before the event
};

/// Wraps the backbone's groups of a model. One call of `step` is one mini-batch of training without the
/// optimiser step.
class IterativePruner {
  public:
    /// `example` [1,3,H,W] is traced to find the coupled channels.
    IterativePruner(MultiTaskModel model, const torch::Tensor& example, std::unique_ptr<Criterion> criterion,
                    IterativePrunerOptions options);

    /// True when the next step ends a window: it prunes (unless finished).
    bool due() const { return (iteration_ + 1) % options_.frequency == 0; }
    /// Every group is at its floor.
    bool finished() const;

    /// Forward, gradients, observation, pruning when due (before the weight update, as in the paper); leaves
    /// gradients in .grad. `optimizer` (may be null) has its state sliced with the parameters. Returns the
    /// losses [T].
    torch::Tensor step(const Batch& batch, torch::optim::Optimizer* optimizer);

    /// Events so far, oldest first.
    const std::vector<PruneEvent>& events() const { return events_; }
    int64_t iteration() const { return iteration_; }
    std::vector<int64_t> widths() const;
    /// Gates [C_l] of 0/1 in mask mode, else null: what the model's forward needs.
    const std::vector<torch::Tensor>* gates() const { return options_.mask ? &gates_ : nullptr; }
    const std::vector<Group>& groups() const { return groups_; }
    /// Per group, the scores [C] that the latest event ranked (present channels before it).
    const std::vector<torch::Tensor>& last_scores() const { return last_scores_; }

    /// Replaces the selection of the next event (tests of released trajectories): indices in the dense
    /// network.
    void force_next_selection(std::vector<std::vector<int64_t>> original_indices) {
        forced_ = std::move(original_indices);
    }

    std::map<std::string, torch::Tensor> state() const;
    /// The model must already have the widths of the saved state.
    void load_state(const std::map<std::string, torch::Tensor>& state);

  private:
    struct Selection {
        std::vector<std::vector<int64_t>> removed;  ///< per group, present indices
        std::vector<torch::Tensor> kept;            ///< per group, present indices, int64
    };
    std::vector<GroupObservation> observations(const std::vector<std::vector<torch::Tensor>>& per_task,
                                               const std::vector<torch::Tensor>& total) const;
    Selection select() const;
    Selection forced_selection() const;
    void record(const Selection& selection);
    void remove(const Selection& selection, torch::optim::Optimizer* optimizer);
    torch::Tensor alive(size_t group) const;

    MultiTaskModel model_;
    std::unique_ptr<Criterion> criterion_;
    IterativePrunerOptions options_;
    std::vector<Group> groups_;
    std::vector<torch::Tensor> gates_;  ///< one per group; empty unless masks or the criterion need them
    std::vector<torch::Tensor> original_index_;  ///< per group, int64 [C]: present channel -> dense network
    std::vector<PruneEvent> events_;
    std::vector<torch::Tensor> last_scores_;
    std::vector<std::vector<int64_t>> forced_;
    int64_t iteration_ = 0;
};

}  // namespace mtlprune
