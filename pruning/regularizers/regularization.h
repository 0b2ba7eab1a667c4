// A regulariser at work in a pruner: what it sees of the network, and when.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pruning/network/pruner.h"
#include "pruning/regularizers/regularizer.h"

namespace mtlprune {

/// Does nothing when there is no regulariser.
class Regularization {
  public:
    /// The others must outlive it: they are the pruner's, and change as channels leave.
    Regularization(std::unique_ptr<Regularizer> regularizer, const Pruner& pruner,
                   const StoredTensors& tensors, const MaskedIndices& masked)
        : regularizer_(std::move(regularizer)), pruner_(pruner), tensors_(tensors), masked_(masked) {}
    Regularization(const Regularization&) = delete;
    Regularization& operator=(const Regularization&) = delete;

    bool needs_task_gradients(int64_t iteration) const {
        return regularizer_ && regularizer_->needs_task_gradients(iteration);
    }
    /// The tasks' gradients by parameter, where needed.
    void after_gradients(const TrainingStep& step, int64_t iteration,
                         const std::map<std::string, std::vector<torch::Tensor>>& task_gradients);
    /// Nothing unless the iteration had gradients.
    void after_step(Trainer& trainer);
    /// In place of after_step() in the iteration of the last event.
    void after_last_event(Trainer& trainer);
    /// Per asked group, numbers of the network as coupled that the next event must take; empty when the
    /// criterion decides.
    std::vector<std::vector<int64_t>> chosen() const;
    /// After the pruner's groups are up to date.
    void after_event(const PruneEvent& event);

    std::map<std::string, torch::Tensor> state() const;
    void load_state(const std::map<std::string, torch::Tensor>& state);

  private:
    RegularizedStep step(Trainer& trainer);
    std::vector<torch::Tensor> loss_gradients(Trainer& trainer, const Batch& batch,
                                              const std::vector<size_t>& tasks) const;

    std::unique_ptr<Regularizer> regularizer_;
    const Pruner& pruner_;
    const StoredTensors& tensors_;
    const MaskedIndices& masked_;
    std::vector<RegularizedGroup> groups_;  ///< empty when they must be found again
    std::vector<int64_t> floors_;           ///< of the groups
    int64_t iteration_ = 0;
    bool has_gradients_ = false;
};

}  // namespace mtlprune
