// What a pruning criterion is: it observes mini-batches and scores every channel of every group.
#pragma once

#include <torch/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "training/losses.h"

namespace mtlprune {

/// One layer that produces a group's channels, with gradients of the current mini-batch.
struct Producer {
    torch::Tensor weight;  ///< [C, ...]
    torch::Tensor bias;    ///< [C] or undefined
    std::vector<torch::Tensor>
        weight_gradients;  ///< per task, like weight (empty when only the total is known)
    std::vector<torch::Tensor> bias_gradients;  ///< per task, like bias
    torch::Tensor weight_gradient;              ///< of the sum of the losses
    torch::Tensor bias_gradient;
};

/// What one mini-batch says about one group of C channels.
struct GroupObservation {
    std::string group;
    std::vector<Producer> producers;
    torch::Tensor
        gate_gradient;  ///< [C], of the sum of the losses; only when the criterion needs explicit gates
};

/// State survives a checkpoint; scores are float64, one tensor [C] per group, higher = keep.
class Criterion {
  public:
    virtual ~Criterion() = default;
    virtual std::string name() const = 0;
    virtual bool needs_task_gradients() const { return false; }
    /// The released Taylor engine reads gradients of explicit gates, history included.
    virtual bool needs_gates() const { return false; }

    /// Adds one mini-batch.
    virtual void observe(const std::vector<GroupObservation>& groups) = 0;
    /// Only with needs_gates(): the gate gradients of the backward pass that precedes the optimiser step.
    virtual void observe_update(const std::vector<torch::Tensor>& /*gate_gradients*/) {}
    /// Scores of what was observed; throws Error when nothing was.
    virtual std::vector<torch::Tensor> scores() const = 0;
    /// Called after an event; `kept` holds per group the surviving channels' indices (int64), or is empty
    /// when channels are only masked.
    virtual void after_event(const std::vector<torch::Tensor>& kept) = 0;

    virtual std::map<std::string, torch::Tensor> state() const = 0;
    virtual void load_state(const std::map<std::string, torch::Tensor>& state) = 0;
};

/// Mean of per-channel contributions over mini-batches: the state that most criteria share.
class ScoreMean {
  public:
    /// contributions: one tensor [C] per group, any floating type.
    void add(const std::vector<torch::Tensor>& contributions);
    std::vector<torch::Tensor> mean(const std::string& criterion) const;
    void select(const std::vector<torch::Tensor>& kept);
    void reset();
    int64_t count() const { return count_; }
    void save(std::map<std::string, torch::Tensor>& state) const;
    void load(const std::map<std::string, torch::Tensor>& state);

  private:
    std::vector<torch::Tensor> sums_;
    int64_t count_ = 0;
};

/// "taylor" or "cosprune"; an unknown name is an Error that names the nearest.
std::unique_ptr<Criterion> make_criterion(const std::string& name, Fidelity fidelity = Fidelity::corrected);

struct CriterionDescription {
    std::string name, needs, paper, fidelity;
};
/// For `mtlprune list`.
std::vector<CriterionDescription> list_criteria();

}  // namespace mtlprune
