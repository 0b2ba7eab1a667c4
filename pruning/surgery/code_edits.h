// Which numbers and constant tensors of a TorchScript graph change when channels leave.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/graph/script_graph.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// The channels of a coupling that a plan removes, and what that leaves of axes.
class KeptChannels {
  public:
    KeptChannels(const Coupling& coupling, const Plan& plan);
    /// Indices of [first, last) along the axis that stay.
    int64_t count(size_t value, size_t axis, int64_t first, int64_t last) const;
    int64_t size(size_t value, size_t axis) const;
    /// All indices that stay; empty when all do.
    std::vector<int64_t> indices(size_t value, size_t axis) const;
    bool changes(size_t value, size_t axis) const {
        return size(value, axis) != coupling_.graph.values[value].shape[axis];
    }
    /// The value is a number computed from the size of an axis that changes.
    bool changes_number(size_t value) const;

  private:
    const Coupling& coupling_;
    std::vector<uint8_t> removed_;  ///< 1 or 0 per channel of the coupling: reading bits takes longer
};

/// Weights that are multiplied so that an operator with a scale of its own computes what it did.
struct Rescaling {
    size_t value;   ///< a stored tensor
    int64_t first;  ///< rows of the pruned tensor
    int64_t last;
    double factor;
};

struct CodeEdits {
    /// (node, argument, element of the list or -1) -> the new number (or tensor of one number).
    std::map<std::tuple<torch::jit::Node*, size_t, int64_t>, c10::IValue> numbers;
    std::map<torch::jit::Value*, torch::Tensor> tensors;  ///< constants
    std::map<size_t, torch::Tensor> buffers;              ///< new contents of stored index tensors, per value
    std::vector<Rescaling> rescalings;
    std::map<torch::jit::Node*, double> query_factors;  ///< attention whose scale would change
    /// Axis and entries of a result that stay.
    std::map<torch::jit::Node*, std::pair<int64_t, std::vector<int64_t>>> cuts;
};

/// Throws Error naming the operator when one piece of code would need two different numbers.
CodeEdits find_edits(const Coupling& coupling, const Plan& plan);

/// Carries out the edits of numbers and tensors on the code that `graph` was traced from.
void edit_code(ScriptTrace& script, const TracedGraph& graph, const CodeEdits& edits);

}  // namespace mtlprune
