// What is known about the channels of a network when a criterion looks at them.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "pruning/evidence/gate_members.h"
#include "pruning/evidence/passes.h"
#include "pruning/evidence/scored_members.h"

namespace mtlprune {

/// What a criterion looks at. Whoever runs it gathers that and no more.
struct Needs {
    bool weights = false;
    bool gradients = false;       ///< of the sum of the losses
    bool task_gradients = false;  ///< of every task's loss
    bool gates = false;           ///< gradients of explicit gates (the released Taylor engine reads them)
    bool passes = false;          ///< mini-batches on which it runs passes of its own
    bool data() const { return gradients || task_gradients || gates || passes; }
    /// "weights", "per-task gradients of labelled data", ...
    std::string text() const;
};

/// One mini-batch's gradients, or none, together with the tensors as they are now. Holds references: what it
/// was made from must outlive it.
class Evidence {
  public:
    /// `asked` are the numbers of the groups to score. `groups` are those of the coupling that `structure`
    /// was made from, perhaps after channels left; indices of their members refer to `values`.
    struct Structure {
        explicit Structure(const TracedGraph& graph, const std::vector<Group>& groups)
            : scored(graph), gates(graph, groups) {}
        ScoredMembers scored;
        GateMembers gates;
    };

    Evidence(const Structure& structure, const std::vector<Group>& groups, std::vector<size_t> asked,
             const StoredTensors& values)
        : structure_(structure), groups_(groups), asked_(std::move(asked)), values_(&values) {}
    const std::vector<Group>& groups() const { return groups_; }
    const std::vector<size_t>& asked() const { return asked_; }
    const ScoredMembers& scored() const { return structure_.scored; }
    /// Throws Error naming the group, the tensor, and what its size should be.
    const torch::Tensor& value(const Group& group, const Member& member) const;
    const StoredTensors& tensors() const { return *values_; }
    /// The mini-batch's, for criteria with needs().passes. Throws Error when there are none.
    const Passes& passes() const;
    /// The same with losses of its samples.
    const Passes& labelled_passes() const;
    /// [C, ...]: a channel's slices of a tensor of the member's shape, one row each.
    static torch::Tensor rows(const Member& member, const torch::Tensor& tensor);
    /// [C], float64: the sums of such rows.
    static torch::Tensor row_sums(const torch::Tensor& rows);

    /// Members whose weights times their gradients add up to the gradient of a gate on the group's channels.
    std::vector<const Member*> gate_members(size_t group) const {
        return structure_.gates.of(groups_[group]);
    }

    /// Gradients by parameter name; an absent one is a parameter that the loss does not depend on.
    std::map<std::string, torch::Tensor> gradients;                    ///< of the sum of the losses
    std::map<std::string, std::vector<torch::Tensor>> task_gradients;  ///< one per task
    bool lasting_gradients = false;  ///< nobody changes these tensors later: to keep them, no copy is needed
    std::vector<torch::Tensor> gate_gradients;  ///< [C] per asked group
    /// Per asked group, int64 [C]: what number each channel had when the network was coupled; empty: their
    /// own.
    std::vector<torch::Tensor> originals;
    const Passes* own_passes = nullptr;  ///< see passes()

  private:
    const Structure& structure_;
    const std::vector<Group>& groups_;
    std::vector<size_t> asked_;
    const StoredTensors* values_;
};

/// The gradients of one mini-batch's losses [one scalar per task] by parameter name, as the criterion needs
/// them.
void add_gradients(Evidence& evidence, const Needs& needs, const std::vector<torch::Tensor>& losses,
                   const StoredTensors& parameters);

}  // namespace mtlprune
