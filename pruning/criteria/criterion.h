// What a pruning criterion is: it looks at evidence and scores every channel of every group.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/registry.h"
#include "pruning/evidence/evidence.h"

namespace mtlprune {

struct Scores {
    std::vector<torch::Tensor>
        scores;  ///< float64 [C] per group, higher = keep; [0] for groups that were not asked
    std::vector<std::string> notes;  ///< what was scored in another way than asked, one sentence per group
};

/// New values of slices of a tensor as it is before channels leave, which make up for those that do.
struct Repair {
    std::string tensor;
    int64_t dim;
    std::vector<int64_t> indices;
    torch::Tensor values;  ///< of the tensor's shape, indices.size() along dim
};

/// The member's indices of these channels (int64), channel by channel.
std::vector<int64_t> indices_of(const Member& member, const torch::Tensor& channels);

/// One criterion serves networks of every kind, pruned once or iteratively, removed or masked.
class Criterion {
  public:
    virtual ~Criterion() = default;
    virtual Needs needs() const = 0;
    /// Adds one mini-batch. Criteria that need no data do not look.
    virtual void observe(const Evidence& /*batch*/) {}
    /// Only with needs().gates: the gate gradients [C] per asked group of the backward pass that precedes the
    /// optimiser step.
    virtual void observe_update(const std::vector<torch::Tensor>& /*gate_gradients*/) {}
    /// Scores of what was observed, or of the tensors as they are now. Throws Error when a mini-batch is
    /// needed and none was observed.
    virtual Scores scores(const Evidence& now) const = 0;
    /// What it means, for people, that an event which ranked `scores` leaves the channels `kept` (int64),
    /// both per asked group.
    virtual std::vector<std::string> remarks(const std::vector<torch::Tensor>& /*scores*/,
                                             const std::vector<torch::Tensor>& /*kept*/) const {
        return {};
    }
    /// Before an event that leaves per asked group the channels `kept` (int64): what to change in the layers
    /// that read them. `now` has the passes of a mini-batch.
    virtual std::vector<Repair> repair(const Evidence& /*now*/,
                                       const std::vector<torch::Tensor>& /*kept*/) const {
        return {};
    }
    /// Called after an event; `kept` holds per asked group the surviving channels' indices (int64).
    virtual void after_event(const std::vector<torch::Tensor>& /*kept*/) {}

    /// What a checkpoint must hold.
    virtual std::map<std::string, torch::Tensor> state() const { return {}; }
    virtual void load_state(const std::map<std::string, torch::Tensor>& /*state*/) {}
};

/// Scores of all groups that are not frozen, by a criterion that needs no data.
Scores scores_without_data(const Criterion& criterion, const TracedGraph& graph,
                           const std::vector<Group>& groups, const StoredTensors& tensors);

/// Every criterion there is. A program may add its own before it uses any.
Registry<Criterion>& criteria();

/// One tensor per asked group, `per_asked` in their order, as the scores of all groups.
Scores scores_of_asked(const Evidence& now, const std::vector<torch::Tensor>& per_asked);

/// Mean of per-channel contributions over mini-batches: the state that most criteria share.
class ScoreMean {
  public:
    /// contributions: one tensor [C, ...] per asked group, any floating type.
    void add(const std::vector<torch::Tensor>& contributions);
    /// Throws Error naming the criterion when nothing was added.
    Scores mean(const std::string& criterion, const Evidence& now) const;
    /// The same for the asked groups alone.
    std::vector<torch::Tensor> means(const std::string& criterion) const;
    bool empty() const { return count_ == 0; }
    void select(const std::vector<torch::Tensor>& kept);
    void reset();
    void save(std::map<std::string, torch::Tensor>& state) const;
    void load(const std::map<std::string, torch::Tensor>& state);

  private:
    std::vector<torch::Tensor> sums_;
    int64_t count_ = 0;
};

}  // namespace mtlprune
