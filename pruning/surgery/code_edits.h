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
#include "pruning/surgery/kept_channels.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// Weights that are multiplied so that an operator with a scale of its own computes what it did.
struct Rescaling {
    size_t value;   ///< a stored tensor
    int64_t first;  ///< rows of the pruned tensor
    int64_t last;
    double factor;
};

/// What becomes of a number that an operator reads.
struct NumberEdit {
    enum class Form {
        computed,  ///< the code computes it from sizes that follow: nothing to do
        scaled,  ///< computed, then multiplied by numerator / denominator, so that other inputs stay possible
        constant  ///< `number`
    };
    Form form = Form::constant;
    c10::IValue number;  ///< wanted on the example inputs: an integer, another number or a tensor of one
    double numerator = 1, denominator = 1;  ///< whole ones of integers; else the latter is 1
};

struct CodeEdits {
    /// (node, argument, element of the list or -1) -> what becomes of the number.
    std::map<std::tuple<torch::jit::Node*, size_t, int64_t>, NumberEdit> numbers;
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
