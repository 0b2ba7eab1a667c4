// The trace of a TorchScript network: its graph run operator by operator, where possible on shapes alone.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pruning/graph/traced_graph.h"

namespace mtlprune {

/// A branch or loop that the example inputs did not enter, though other inputs may.
struct UntakenBranch {
    std::string place;          ///< "net.py:31"; the module where the source is not known
    std::vector<size_t> reads;  ///< traced tensors from outside that its operators read
};

struct ScriptTrace {
    TracedGraph graph;
    /// The forward method with all calls inlined, whose constants may be changed.
    std::shared_ptr<torch::jit::Graph> code;
    /// Arguments that decided which code ran: (branch or loop of `code`, argument, traced value).
    std::vector<std::tuple<torch::jit::Node*, size_t, size_t>> decisions;
    std::vector<torch::jit::Node*> nodes;  ///< per traced node, the node of `code` that it comes from
    std::vector<torch::jit::Value*>
        constants;  ///< per traced value, the constant tensor of `code` that it is, or null
    std::vector<UntakenBranch> untaken;
    std::vector<std::string> computed_for_real;  ///< operators that have no shape-only form here
};

/// Told the number of a traced node and what it gave.
using NodeObserver = std::function<void(size_t node, const torch::jit::Stack& results)>;

/// As `trace`, but everything is computed; the observer sees every operator's results.
ScriptTrace trace_computed(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                           const NodeObserver& observer);

/// Traces `forward` of the module on these inputs, tensors or anything else that forward takes (the contents
/// of tensors do not matter unless a shape depends on them); arguments left out have their defaults. Branches
/// and loops are followed as these inputs take them; a branch into one of LibTorch's fused operators, which
/// have no place for sizes that differ, is not taken where there is another. Shapes come from LibTorch's meta
/// device or from rules of our own; only operators that have neither are computed. Throws Error naming the
/// operator that failed.
ScriptTrace trace(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs);

/// All tensors in tuples, lists and dictionaries, in order. Throws Error on anything else in an output.
std::vector<torch::Tensor> flatten_outputs(const c10::IValue& output);

}  // namespace mtlprune
