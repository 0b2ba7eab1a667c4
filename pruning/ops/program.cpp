// Operators that are about the program more than about tensors: sizes, numbers, lists, new tensors.
#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// What it holds depends on shapes alone, which follow: labels of its own, unless it copies the shape of a
/// tensor.
template <bool with_zeros>
void filled(Labelling& l, const TracedNode& node) {
    for (const size_t output : l.graph().tensor_outputs(node)) {
        auto x = l.fresh(l.shape(output));
        x.vanishes = with_zeros;
        l.set(output, std::move(x));
    }
}

/// Reads sizes or types only: no value of a channel reaches the result.
void metadata(Labelling&, const TracedNode&) {}

/// Elements of a list that was split up (inputs: the elements).
void unpack_list(Labelling& l, const TracedNode& node) {
    for (size_t i = 0; i < node.outputs.size() && i < node.inputs.size(); ++i)
        if (l.is_tensor(node, i)) l.set(node.outputs[i], l.labels(node.inputs[i]));
}

void add_lists(std::vector<Operator>& all) {
    add(all, {.labels = metadata}, {"len", "__getitem__"});
    add_named(all, {.labels = unpack_list, .memory = Memory::view}, "prim::ListUnpack");
}

}  // namespace

void add_program_operators(std::vector<Operator>& all) {
    add(all, {.labels = filled<false>, .edits = edit_sizes<0>}, {"ones", "full", "empty", "rand", "randn"});
    add(all, {.labels = filled<false>, .edits = edit_sizes<1>}, {"new_ones", "new_full", "new_empty"});
    add(all, {.labels = filled<true>, .edits = edit_sizes<0>}, {"zeros"});
    add(all, {.labels = filled<true>, .edits = edit_sizes<1>}, {"new_zeros"});
    add(all, {.labels = metadata, .tracing = Tracing::reads_sizes}, {"size", "numel"});
    add(all, {.freezes = kNoRule, .tracing = Tracing::makes_literal}, {"tensor"});
    add(all, {.freezes = kNoRule, .tracing = Tracing::passes}, {"_unwrap_optional"});
    add(all, {.labels = metadata, .tracing = Tracing::compares}, {"__is__", "__isnot__"});
    add(all, {.labels = metadata, .tracing = Tracing::tells}, {"warn"});
    add(all, {.labels = metadata},
        {"sym_size", "Int", "IntImplicit", "Float", "FloatImplicit", "Bool", "ScalarImplicit", "dim",
         "_shape_as_tensor", "item", "is_floating_point"});
    add_named(all, {.labels = metadata, .memory = Memory::view}, "prim::NumToTensor");
    add_lists(all);
}

}  // namespace mtlprune
