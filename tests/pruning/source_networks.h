// Small networks written as TorchScript source, built as a script module and as a C++ module from the same
// text.
#pragma once

#include <torch/script.h>

#include <map>
#include <string>
#include <vector>

#include "tests/pruning/toy_networks.h"

namespace mtlprune::toy {

using Shape = std::vector<int64_t>;

struct SourceTensor {
    std::string name;  ///< within its layer
    Shape shape;
    bool is_buffer = false;
};

/// A submodule. Its methods are source text that speaks of `self.weight` and so on.
struct Layer {
    std::string name;  ///< empty: the tensors belong to the network itself
    std::vector<SourceTensor> tensors;
    std::string body;  ///< statements of forward(self, x)
    /// The same layer computed densely over the channels whose scale is not zero; empty: the body. A channel
    /// that enters a normalisation across channels cannot be removed by zeroing it, this leaves it out.
    std::string masked_body;
};

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

// Layers. Convolutions keep the image's size when the kernel is odd.
Layer conv(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1, int64_t groups = 1);
Layer conv1d(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1, int64_t groups = 1);
Layer conv3d(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1, int64_t groups = 1);
Layer strided_conv(const std::string& name, int64_t in, int64_t out, int64_t stride);  ///< kernel = stride
Layer transposed_conv(const std::string& name, int64_t in, int64_t out, int64_t stride, int64_t groups = 1);
Layer linear(const std::string& name, int64_t in, int64_t out);
Layer batch_norm(const std::string& name, int64_t channels);
Layer instance_norm(const std::string& name, int64_t channels, bool running_statistics = false);
Layer group_norm(const std::string& name, int64_t channels, int64_t groups);
Layer layer_norm(const std::string& name, const Shape& shape);
Layer rms_norm(const std::string& name, int64_t channels);
Layer prelu(const std::string& name, int64_t channels);
Layer embedding(const std::string& name, int64_t count, int64_t width);
Layer lstm(const std::string& name, int64_t in, int64_t hidden, int64_t layers = 1,
           bool bidirectional = false);
Layer gru(const std::string& name, int64_t in, int64_t hidden, int64_t layers = 1,
          bool bidirectional = false);
Layer parameter(const std::string& name, const Shape& shape);
Layer buffer(const std::string& name, const Shape& shape);

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
