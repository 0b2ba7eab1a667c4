// Which label every element of a tensor carries, and how labels move when the tensor is permuted, indexed or
// reshaped.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pruning/coupling/union_find.h"

namespace mtlprune {

using Labels = std::vector<Label>;
/// Shared because most operators pass labels on as they are.
using LabelsPtr = std::shared_ptr<const Labels>;

bool contains(const std::vector<size_t>& axes, size_t axis);

/// Labels along one axis of a tensor, or jointly along several: after a view [C] -> [2, C/2] the two axes
/// carry one array of C labels.
struct LabelArray {
    std::vector<size_t> axes;    ///< of the tensor; the first is the outermost in `labels`
    LabelsPtr labels;            ///< row-major over the sizes of `axes`
    std::vector<size_t> blocks;  ///< on weights: the dimensions of stored tensors that it came from
};

/// A tensor's shape and its arrays, which share no axis. An element leaves when its label in any of them
/// leaves. Axes without an array are fixed. Axes of size 1 never have one: their only index cannot leave.
struct Labelled {
    std::vector<int64_t> shape;
    std::vector<LabelArray> arrays;
    /// What would leave is zero once the slices of all parameters that leave with it are zero, so sums lose
    /// nothing.
    bool vanishes = false;

    const LabelArray* covering(size_t axis) const;
    bool is_fixed(size_t axis) const { return covering(axis) == nullptr; }
    /// Takes out the array that covers `axis`.
    void drop(size_t axis);
    /// Elements along the array's axes.
    int64_t stride(const LabelArray& array, size_t axis) const;
};

/// The array's labels over `axes` (a superset of its own, any order), repeated along those it does not cover.
Labels expanded(const Labelled& x, const LabelArray& array, const std::vector<size_t>& axes);

/// Entry i along `axis` becomes the former entry picks[i]; a negative pick gives the fixed label.
LabelArray indexed(const Labelled& x, const LabelArray& array, size_t axis,
                   const std::vector<int64_t>& picks);

/// Index 0 along `axis`, which the array no longer covers then; nothing is left of an array with one axis.
LabelArray without_axis(const Labelled& x, const LabelArray& array, size_t axis);

/// The array with its axes in ascending order.
LabelArray ordered(const Labelled& x, const LabelArray& array);

/// Whole-array operations on all arrays at once.
/// Axis i of the result is axis order[i] of x.
Labelled permuted(const Labelled& x, const std::vector<size_t>& order);
/// As `indexed`, for whichever array covers `axis` (none: only the shape changes).
Labelled picked(Labelled x, size_t axis, const std::vector<int64_t>& picks);

Labels repeat_each(const Labels& labels, int64_t times);
Labels tile(const Labels& labels, int64_t times);
LabelsPtr share(Labels labels);

}  // namespace mtlprune
