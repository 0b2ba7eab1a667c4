// The families of operators, one file each, and what their rules share. Known in this folder only.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "pruning/coupling/label_propagation.h"
#include "pruning/ops/operator.h"
#include "pruning/surgery/edit_finder.h"

namespace mtlprune {

void add_convolutions(std::vector<Operator>& all);
void add_products(std::vector<Operator>& all);           ///< linear layers, matrix products, einsum
void add_normalisations(std::vector<Operator>& all);     ///< norms, and others with one parameter per channel
void add_elementwise(std::vector<Operator>& all);        ///< activations, arithmetic
void add_resampling(std::vector<Operator>& all);         ///< pooling, interpolation, padding of images
void add_shape_changes(std::vector<Operator>& all);      ///< views, permutations, repetition
void add_selections(std::vector<Operator>& all);         ///< slices, splits, and others
                                                         ///< that take parts of an axis
void add_indexing(std::vector<Operator>& all);           ///< parts of an axis named by tensors
void add_scatters(std::vector<Operator>& all);           ///< entries moved along an axis
void add_positions(std::vector<Operator>& all);          ///< tensors made of positions
void add_distances(std::vector<Operator>& all);          ///< distances and similarities of vectors
void add_quantisation(std::vector<Operator>& all);       ///< rounding to a grid, in real numbers
void add_complex(std::vector<Operator>& all);            ///< complex numbers, Fourier transforms
void add_joins(std::vector<Operator>& all);              ///< concatenation, padding
void add_reductions(std::vector<Operator>& all);         ///< sums, means, softmax and
                                                         ///< others that mix one axis
void add_attention(std::vector<Operator>& all);          ///< fused attention operators
void add_recurrent_layers(std::vector<Operator>& all);   ///< LSTM, GRU, RNN and their cells
void add_program_operators(std::vector<Operator>& all);  ///< sizes, numbers, lists, new tensors

inline constexpr const char* kNoRule = "no coupling rule for this operator";
inline constexpr const char* kNotConstant = "its arguments are not constants";

/// One record per name; names are LibTorch's, without "aten::". Those that end in '_' work in place.
void add(std::vector<Operator>& all, const Operator& record, std::initializer_list<const char*> names);
/// For an operator of another namespace.
void add_named(std::vector<Operator>& all, Operator record, std::string name);

// Arguments.
size_t wrap_axis(int64_t axis, size_t rank);
/// An argument that names one axis of a tensor of this rank, counted from the front; nothing when it is no
/// constant.
std::optional<size_t> axis_argument(const TracedGraph& graph, const TracedNode& node, size_t input,
                                    size_t rank);

// Labels.
inline constexpr const char* kSelected = "selected by its number";
/// first, first + step, ...
std::vector<int64_t> range(int64_t first, int64_t count, int64_t step = 1);
/// Part of an axis. A single index is a fixed one: its axis could not lose it.
Labelled part_of(Labelling& l, Labelled x, size_t axis, const std::vector<int64_t>& picks);

// Shapes.
torch::Tensor on_meta(std::vector<int64_t> shape, c10::ScalarType type);
/// Shape and type of the first argument.
torch::Tensor shape_of_first(const std::vector<c10::IValue>& arguments);

// Edits of code.
/// The argument lists the sizes of the result.
template <size_t argument>
void edit_sizes(EditFinder& finder, const TracedNode& node) {
    finder.change_sizes(node, argument, node.outputs[0], 0);
}

/// The module as one of this type through `refresh`; false when it is of another.
template <typename Module, typename Refresh>
bool refresh_as(torch::nn::Module& module, Refresh refresh) {
    auto* typed = dynamic_cast<Module*>(&module);
    if (typed != nullptr) refresh(*typed);
    return typed != nullptr;
}

}  // namespace mtlprune
