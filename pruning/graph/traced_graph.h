// What a network computes: the operators one forward pass ran, with shapes and constants.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pruning/ops/operator.h"

namespace mtlprune {

/// A value of the trace: a tensor, a constant, a list of other values, or something else (none of the three).
struct TracedValue {
    bool is_tensor = false;
    std::vector<int64_t> shape;  ///< of a tensor
    c10::ScalarType type = c10::ScalarType::Undefined;
    /// What it held: of constants, of numbers computed from sizes, and of integer buffers.
    std::optional<c10::IValue> constant;
    /// Of a number (or a tensor of one) that the network computes from sizes: the axes (value, axis) whose
    /// sizes are behind it; only known in TorchScript.
    std::vector<std::pair<size_t, size_t>> computed_from;
    std::vector<size_t> elements;  ///< values of a list
};

/// One operator, e.g. kind "aten::relu", with the numbers of the values it reads and writes.
struct TracedNode {
    TracedNode(std::string name, std::vector<size_t> reads, std::vector<size_t> writes)
        : kind(std::move(name)),
          op(&operator_of(kind)),
          inputs(std::move(reads)),
          outputs(std::move(writes)) {}

    std::string kind;
    const Operator* op;  ///< its record; never null
    std::vector<size_t> inputs;
    std::vector<size_t> outputs;
};

/// A parameter or buffer. One tensor registered under several names (tied weights) appears once, with its
/// first name.
struct StoredTensor {
    std::string name;
    size_t value;
    bool is_buffer;
    bool is_zero = false;  ///< a buffer that holds nothing but zeros
};

struct TracedGraph {
    std::vector<TracedValue> values;
    std::vector<TracedNode> nodes;  ///< in order of execution
    std::vector<size_t> inputs;     ///< values of the example inputs
    std::vector<size_t> outputs;
    std::vector<StoredTensor> stored;
    /// The graph's own constants can be changed (TorchScript), so that sizes written into it may follow.
    bool editable = false;

    /// The tensors among a node's inputs, those inside lists included.
    std::vector<size_t> tensor_inputs(const TracedNode& node) const;
    /// The same for its outputs.
    std::vector<size_t> tensor_outputs(const TracedNode& node) const;
    /// An argument that is a constant integer (or bool), else `fallback`.
    int64_t integer(size_t value, int64_t fallback) const;
    /// The entries of a one-dimensional integer tensor whose content is known, else nothing.
    std::optional<std::vector<int64_t>> tensor_content(size_t value) const;
    /// An argument that is a constant number, else nothing.
    std::optional<double> number(size_t value) const;
    /// An argument that is a constant integer or list of integers, else nothing.
    std::optional<std::vector<int64_t>> integers(size_t value) const;
};

/// Who makes and who reads every value, those inside lists included.
struct ValueUses {
    static constexpr size_t kNobody = static_cast<size_t>(-1);

    explicit ValueUses(const TracedGraph& graph);
    std::vector<size_t> maker;                 ///< node; kNobody for stored tensors, constants and inputs
    std::vector<std::vector<size_t>> readers;  ///< nodes, each once, in order
};

/// A parameter or buffer of the network, which is `value` of the trace.
StoredTensor stored_tensor(const std::string& name, size_t value, const torch::Tensor& tensor,
                           bool is_buffer);

using TracedFunction = std::function<std::vector<torch::Tensor>(const std::vector<torch::Tensor>&)>;

/// Runs `forward` (which calls `module`) once on `inputs`, in eval mode and without gradients, and records
/// it. Inputs are moved to the device of the module's first parameter. Modes of the module and its children
/// are restored. Throws Error when the forward pass cannot be traced.
TracedGraph trace(torch::nn::Module& module, const TracedFunction& forward,
                  std::vector<torch::Tensor> inputs);

/// "layer1.0.bn2" of "layer1.0.bn2.weight": the module that a tensor belongs to.
std::string module_of(const std::string& tensor);

}  // namespace mtlprune
