// Tensors that the program makes of positions: counted axes, identities, triangles.
#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// One axis of numbers that say where they stand. In a script those of channels that leave are cut out, in a
/// C++ program fewer channels would be numbered anew.
void counted(Labelling& l, const TracedNode& node) {
    if (l.graph().editable) l.set(node.outputs[0], l.fresh(l.shape(node.outputs[0])));
}

/// eye(n): what leaves one of its axes leaves the other.
void identity(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    if (shape.size() != 2 || shape[0] != shape[1]) return;
    const auto labels = l.fresh_axis(shape[0]);
    Labelled x{shape, {}, false};
    if (labels) x.arrays = {{{0}, labels, {}}, {{1}, labels, {}}};
    l.set(node.outputs[0], std::move(x));
}

/// tril(x), triu(x): what stays depends on the positions along the last two axes.
void triangle(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const size_t rank = x.shape.size();
    for (const size_t axis : {rank - 2, rank - 1}) l.fix_axis(x, axis, "its position decides what is kept");
    l.set(node.outputs[0], std::move(x));
}

void edit_counted(EditFinder& finder, const TracedNode& node) {
    if (finder.kept().changes(node.outputs[0], 0)) finder.cut_result(node, 0);
}

/// eye(n, ...), eye(n, m, ...)
void edit_identity(EditFinder& finder, const TracedNode& node) {
    if (!finder.kept().changes(node.outputs[0], 0)) return;
    const int64_t now = finder.kept().size(node.outputs[0], 0);
    finder.change(0, -1, now);
    if (node.inputs.size() > 5) finder.change(1, -1, now);
}

}  // namespace

void add_positions(std::vector<Operator>& all) {
    add(all, {.labels = counted, .edits = edit_counted}, {"arange", "range", "linspace", "logspace"});
    add(all, {.labels = identity, .edits = edit_identity}, {"eye"});
    add(all, {.labels = triangle, .shape = shape_of_first}, {"tril", "triu"});
    add(all, {.labels = triangle}, {"tril_", "triu_"});
}

}  // namespace mtlprune
