// What a sparsity regulariser is: it makes channels small that are about to leave, while the network trains.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/registry.h"
#include "pruning/regularizers/channel_slices.h"
#include "training/trainer.h"

namespace mtlprune {

/// One iteration of a network that is pruned, as it is now.
struct RegularizedStep {
    const std::vector<RegularizedGroup>& groups;  ///< those that may shrink, in the order of Pruner::asked()
    Trainer& trainer;
    int64_t iteration;     ///< of the pruning, from 0
    double learning_rate;  ///< of this iteration
    /// Which channels (bool [C] per group) an event would take if these were their scores: float64 [C] per
    /// group on the CPU, higher = keep.
    std::function<std::vector<torch::Tensor>(const std::vector<torch::Tensor>& scores)> lowest;
    std::vector<int64_t> floors = {};  ///< per group, how many channels the allocation leaves at least
    /// By parameter, every task's (zeros where its loss does not reach); null unless needed.
    const std::map<std::string, std::vector<torch::Tensor>>* task_gradients = nullptr;
    /// What the gradients are of; empty in after_step().
    std::vector<Batch> batches = {};
    /// Gradients of the sum of these tasks' losses (with the factors of the task weighting) over another
    /// mini-batch, at the weights as they are: one per Model::parameters(), undefined where there is none,
    /// zero where masks hold zeros. Running statistics stay as they are.
    std::function<std::vector<torch::Tensor>(const Batch& batch, const std::vector<size_t>& tasks)>
        loss_gradients = {};
};

/// Belongs to a pruner, which calls it in every iteration until its last event, without recording gradients.
/// What criteria see of gradients never contains the penalty.
class Regularizer {
  public:
    virtual ~Regularizer() = default;
    /// after_gradients() of iteration `iteration` reads the tasks' gradients.
    virtual bool needs_task_gradients(int64_t /*iteration*/) const { return false; }
    /// May change .grad, not in place.
    virtual void after_gradients(RegularizedStep& /*step*/) {}
    /// May change weights. Zeros that are to stay belong into Trainer::zero_state() too.
    virtual void after_step(RegularizedStep& /*step*/) {}
    /// In place of after_step() in the iteration of the last event: what is left is the network.
    virtual void after_last_event(RegularizedStep& /*step*/) {}
    /// The channels that the next event must take, where this has decided it: bool [C] per group; empty: the
    /// criterion decides.
    virtual std::vector<torch::Tensor> chosen() const { return {}; }
    /// Scores by which the allocation takes channels in place of the criterion's, where nothing is chosen:
    /// float64 [C] per group on the CPU, higher = keep; empty: the criterion's.
    virtual std::vector<torch::Tensor> ranking() const { return {}; }
    /// `kept` holds per group the surviving channels' indices (int64).
    virtual void after_event(const std::vector<torch::Tensor>& /*kept*/) {}

    /// What a checkpoint must hold.
    virtual std::map<std::string, torch::Tensor> state() const { return {}; }
    virtual void load_state(const std::map<std::string, torch::Tensor>& /*state*/) {}
};

/// Every regulariser there is. A program may add its own before it uses any.
Registry<Regularizer>& regularizers();

/// An option that must not be negative, and one that is 1 or more. Throw Error naming it.
double not_negative(const nlohmann::json& options, const std::string& name);
int64_t at_least_one(const nlohmann::json& options, const std::string& name);

/// One tensor per group in a regulariser's state: "<name>.<number>".
void save_list(std::map<std::string, torch::Tensor>& state, const std::string& name,
               const std::vector<torch::Tensor>& list);
std::vector<torch::Tensor> load_list(const std::map<std::string, torch::Tensor>& state,
                                     const std::string& name);
/// The rows `kept` of each; nothing for an empty list.
void select_rows(std::vector<torch::Tensor>& list, const std::vector<torch::Tensor>& kept);

}  // namespace mtlprune
