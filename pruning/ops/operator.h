// What the engine knows about one operator, in one record. The family files of this folder (convolution.cpp,
// ...) define the records; all other folders read them here and nowhere else know an operator by its name.
// This header includes nothing of pruning, so that every folder may include it.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtlprune {

class EditFinder;
class Labelling;
struct TracedGraph;
struct TracedNode;

using Shapes = std::vector<std::vector<int64_t>>;  ///< of all values of a graph

/// Relates the labels of a node's inputs to each other and sets those of its outputs (unset ones are fixed).
using LabelRule = void (*)(Labelling&, const TracedNode&);
/// The first result of these arguments, on the meta device; tensors among them may be there too.
using ShapeRule = torch::Tensor (*)(const std::vector<c10::IValue>& arguments);
/// Multiply-accumulates of a node whose graph has these shapes.
using MacsRule = int64_t (*)(const TracedGraph&, const TracedNode&, const Shapes&);
/// Tells the finder which numbers and index tensors in a TorchScript network change when channels leave.
using EditRule = void (*)(EditFinder&, const TracedNode&);

/// An operator across channels, computed over those that stay.
struct MaskedForm {
    /// A function of TorchScript, (x, mask, axes, arguments..., constants...), that takes statistics over the
    /// entries where `mask` (of x's rank) is 1. It gives all results of the operator, in order, or more.
    const char* code;
    std::vector<int64_t> axes;      ///< of the statistics; of group norm the one that has groups
    std::vector<size_t> arguments;  ///< those of the operator that follow
    std::vector<c10::IValue> constants = {};
};
/// Nothing where this node computes no statistics.
using MaskedRule = std::optional<MaskedForm> (*)(const TracedGraph&, const TracedNode&);

/// What the C++ modules that call an operator (Conv2d, say) remember about sizes.
struct ModuleOptions {
    /// Sets the sizes in the module's options from the shapes of its tensors; `removed_rows`: what left
    /// dimension 0 of its weight, or null. False when the module is none of this operator's.
    bool (*refresh)(torch::nn::Module&, const std::vector<int64_t>* removed_rows) = nullptr;
    /// Adds what gives the options back that shapes do not tell; null when there are none.
    bool (*remember)(torch::nn::Module&, std::vector<std::function<void()>>& reset) = nullptr;
};

/// What criteria ask of an operator's own parameters; criteria/scored_members.h has the rule.
enum class Scored {
    no_parameters,
    layer,             ///< all matrices that it reads: weights of convolutions and products
    batch_norm_scale,  ///< the vector `scale`
    layer_norm_scale,  ///< the vector `scale`
    not_asked          ///< its parameters leave with their channels but are not asked
};

/// Whose memory the result is; `view`: it may be that of the first argument (with the same type of numbers).
enum class Memory { own, view, in_place };

/// What else than recording it the tracer of TorchScript does with a node.
enum class Tracing {
    records,
    reads_sizes,    ///< its numbers are sizes of the first argument
    makes_literal,  ///< makes a constant tensor of numbers
    passes,         ///< nothing happens to its argument
    second_choice,  ///< of two branches the one without it is followed
    compares,       ///< says whether two arguments are one and the same
    tells           ///< somebody who watches the network run
};

/// Where convolutions (x, weight, bias, stride, padding, ...) have the arguments that differ between their
/// forms. 0: the form has no such argument.
struct ConvolutionForm {
    size_t dilation, groups, output_padding, is_transposed;
    bool always_transposed = false;
};

/// What is not said of an operator it does not have.
struct Operator {
    std::string name;  ///< "aten::conv2d"
    LabelRule labels = nullptr;
    const char* freezes = nullptr;  ///< without a rule for labels: why it freezes all that it sees
    ShapeRule shape = nullptr;      ///< null: LibTorch knows
    MacsRule macs = nullptr;        ///< null: none
    EditRule edits = nullptr;       ///< null: no argument depends on channels
    MaskedRule masked = nullptr;    ///< null: every channel is computed alone, or by weights
    ModuleOptions modules = {};
    Scored scored = Scored::no_parameters;
    int64_t scale = -1;  ///< the argument that `scored` names, if it names one
    Memory memory = Memory::own;
    Tracing tracing = Tracing::records;
    const ConvolutionForm* convolution = nullptr;  ///< null: is no convolution
};

/// Runs on any number of channels and leaves each where it is.
bool keeps_channels(const Operator& op);

/// All operators that are known, each once.
const std::vector<Operator>& operators();

/// The record of a kind, e.g. "aten::relu_". Operators that are not known get one without rules, whose memory
/// their name tells.
const Operator& operator_of(std::string_view kind);

}  // namespace mtlprune
