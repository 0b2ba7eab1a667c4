// Arithmetic on single numbers in the code of a TorchScript network.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <optional>

namespace mtlprune {

/// The number that a value is, or the only one of a tensor; truth is 1.
std::optional<double> number_of(const c10::IValue& value);

/// The node's first input becomes its output as it is, of another type.
bool passes_number(const torch::jit::Node& node);

/// The node divides its first two inputs and rounds.
bool rounds_quotient(const torch::jit::Node& node);

/// New code, where the graph inserts, for `value` (a number or a tensor of one) times numerator /
/// denominator, whole numbers for a whole value. A quotient that is rounded is scaled before.
torch::jit::Value* scaled_number(torch::jit::Graph& graph, torch::jit::Value* value, double numerator,
                                 double denominator);

}  // namespace mtlprune
