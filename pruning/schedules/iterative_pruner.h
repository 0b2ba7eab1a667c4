// Iterative pruning: every `frequency` mini-batches the filters with the lowest scores leave, until every
// layer is at its floor.
#pragma once

#include <torch/optim/optimizer.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/multi_task_model.h"
#include "pruning/network/network.h"
#include "pruning/network/pruner.h"
#include "training/task_gradients.h"

namespace mtlprune {

struct IterativePrunerOptions {
    int64_t frequency = 500;
    AllocationOptions allocation;  ///< of every event
    Fidelity fidelity = Fidelity::corrected;
    /// mask: multiply by 0/1 gates instead of removing (what the released code does).
    EditKind edit = EditKind::remove;
};

/// The main paper's event: the `filters` lowest of all channels of the shared backbone leave, every group
/// keeps `floor` (0 is possible with masks only).
AllocationOptions lowest_of_backbone(int64_t filters, int64_t floor);

/// Wraps the groups of a model that `options.allocation` lets shrink. One call of `step` is one mini-batch of
/// training without the optimiser step.
class IterativePruner {
  public:
    /// `example` [1,3,H,W] is traced to find the coupled channels.
    IterativePruner(MultiTaskModel model, const torch::Tensor& example, std::unique_ptr<Criterion> criterion,
                    IterativePrunerOptions options);

    /// True when the next step ends a window: it prunes (unless finished).
    bool due() const { return (iteration_ + 1) % options_.frequency == 0; }
    /// Every group is at its floor.
    bool finished() const { return pruner_.finished(); }

    /// Forward, gradients, observation, pruning when due (before the weight update, as in the paper); leaves
    /// gradients in .grad. `optimizer` (may be null) has its state sliced with the parameters. Returns the
    /// losses [T].
    torch::Tensor step(const Batch& batch, torch::optim::Optimizer* optimizer);

    /// Events so far, oldest first.
    const std::vector<PruneEvent>& events() const { return events_; }
    int64_t iteration() const { return iteration_; }
    std::vector<int64_t> widths() const { return pruner_.widths(); }
    /// Gates [C_l] of 0/1 in mask mode, else null: what the model's forward needs.
    const std::vector<torch::Tensor>* gates() const { return is_mask() ? &gates_ : nullptr; }
    /// The groups that may shrink.
    std::vector<Group> groups() const;
    /// Per group, the scores [C] that the latest event ranked (present channels before it).
    const std::vector<torch::Tensor>& last_scores() const { return pruner_.last_scores(); }

    /// Replaces the selection of the next event (tests of released trajectories): indices in the dense
    /// network.
    void force_next_selection(std::vector<std::vector<int64_t>> original_indices) {
        forced_ = std::move(original_indices);
    }

    std::map<std::string, torch::Tensor> state() const;
    /// The model must already have the widths of the saved state.
    void load_state(const std::map<std::string, torch::Tensor>& state);

  private:
    bool is_mask() const { return options_.edit == EditKind::mask; }
    /// `per_task` and `total` in the order of the backbone's parameters, gates after them.
    void observe(const std::vector<std::vector<torch::Tensor>>& per_task,
                 const std::vector<torch::Tensor>& total);
    /// The gates' part of a list of gradients, per group as it is now.
    std::vector<torch::Tensor> gate_gradients(const std::vector<torch::Tensor>& gradients) const;
    PruneEvent choose();
    void close_gates(const PruneEvent& event);
    void carry_out(const PruneEvent& event, torch::optim::Optimizer* optimizer);

    MultiTaskModel model_;
    IterativePrunerOptions options_;
    ModuleNetwork network_;
    Pruner pruner_;
    StoredTensors tensors_;
    std::vector<std::string> backbone_names_;  ///< in the order of TaskGradients' lists
    std::vector<torch::Tensor> gates_;  ///< one per group; empty unless masks or the criterion need them
    std::vector<PruneEvent> events_;
    std::vector<std::vector<int64_t>> forced_;
    int64_t iteration_ = 0;
};

}  // namespace mtlprune
