// Small networks written as TorchScript source, built as a script module and as a C++ module from the same
// text.
#pragma once

#include <torch/script.h>

#include <map>
#include <string>
#include <vector>

#include "tests/pruning/source_layers.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::toy {

struct NetworkInput {
    Shape shape;
    int64_t below = 0;  ///< integers in 0..below-1; 0: real numbers
};

struct SourceNetwork {
    std::string name;
    std::vector<NetworkInput> inputs;  ///< arguments x, y, z of forward
    std::vector<Layer> layers;
    std::string body;
    /// Shapes that some tensors must have when every free group has lost half of its channels (rounded down).
    std::map<std::string, Shape> after;
    /// Sizes that pruning changes are literals in the source: only a graph can be rewritten.
    bool has_literals = false;
    /// Parameters whose rows stay when an oracle zeroes slices: the direction of a weight normalisation.
    std::vector<std::string> keep_rows;
};

/// Names as in named_parameters(), e.g. "a.weight", with values drawn from a fixed key.
struct NamedValue {
    std::string name;
    torch::Tensor value;
    bool is_buffer;
};
std::vector<NamedValue> values_of(const SourceNetwork& network, c10::ScalarType type = torch::kFloat64);
std::vector<torch::Tensor> inputs_of(const SourceNetwork& network, c10::ScalarType type = torch::kFloat64,
                                     uint64_t key = 77);

/// The whole text, to be printed when a test fails.
std::string source_text(const SourceNetwork& network);

/// Holds `values` (which it shares). `masked`: layers are computed by their masked bodies.
torch::jit::Module script_module(const SourceNetwork& network, const std::vector<NamedValue>& values,
                                 bool masked = false);

/// The same as a trace: one graph in which every size is a number, as a file that nobody can ask for its
/// source.
torch::jit::Module traced_module(const SourceNetwork& network, const std::vector<NamedValue>& values);

/// A module whose forward pass runs the source operator by operator, so that it can be traced like C++ code:
/// sizes read from tensors follow the weights, literals stay.
Network cpp_module(const SourceNetwork& network, const std::vector<NamedValue>& values);

/// All tensors in an output: tensors, tuples, lists and dictionaries, in order.
std::vector<torch::Tensor> tensors_in(const c10::IValue& output);

/// Runs a script module.
std::vector<torch::Tensor> run(torch::jit::Module module, const std::vector<torch::Tensor>& inputs);

}  // namespace mtlprune::toy
