// How labels follow broadcasting and reshaping.
#include <c10/util/accumulate.h>

#include <algorithm>
#include <optional>
#include <set>

#include "pruning/coupling/labelling.h"

namespace mtlprune {
namespace {

constexpr const char* kCombined = "combined with a value that cannot shrink";

/// The operand's axes counted as those of the broadcast result; missing axes get size 1.
void align(Labelled& x, size_t rank) {
    const size_t missing = rank - x.shape.size();
    x.shape.insert(x.shape.begin(), missing, 1);
    for (auto& array : x.arrays)
        for (auto& axis : array.axes) axis += missing;
}

/// Axes with more than one index; the others carry nothing through a reshape.
std::vector<size_t> wide_axes(const std::vector<int64_t>& shape) {
    std::vector<size_t> axes;
    for (size_t axis = 0; axis < shape.size(); ++axis)
        if (shape[axis] != 1) axes.push_back(axis);
    return axes;
}

/// Runs of axes that hold the same elements before and after a reshape.
struct ReshapeBlock {
    std::vector<size_t> sources, targets;
    bool is_same_axis() const { return sources.size() == 1 && targets.size() == 1; }
};

std::vector<ReshapeBlock> reshape_blocks(const std::vector<int64_t>& before,
                                         const std::vector<int64_t>& after) {
    const auto from = wide_axes(before), to = wide_axes(after);
    std::vector<ReshapeBlock> blocks;
    for (size_t i = 0, o = 0; i < from.size() && o < to.size();) {
        auto& block = blocks.emplace_back(ReshapeBlock{{from[i]}, {to[o]}});
        int64_t in = before[from[i++]], out = after[to[o++]];
        while (in != out) {
            if (in < out) {
                block.sources.push_back(from[i]);
                in *= before[from[i++]];
            } else {
                block.targets.push_back(to[o]);
                out *= after[to[o++]];
            }
        }
    }
    return blocks;
}

bool touches(const LabelArray& array, const ReshapeBlock& block) {
    return std::any_of(array.axes.begin(), array.axes.end(),
                       [&](size_t axis) { return contains(block.sources, axis); });
}

bool has_joint_array(const Labelled& x) {
    return std::any_of(x.arrays.begin(), x.arrays.end(),
                       [](const LabelArray& array) { return array.axes.size() > 1; });
}

/// Axes of every two arrays of which each covers an axis that the other does not, and one that it does.
std::vector<std::pair<std::vector<size_t>, std::vector<size_t>>> crossing_arrays(const Labelled& x,
                                                                                 const Labelled& y) {
    std::vector<std::pair<std::vector<size_t>, std::vector<size_t>>> pairs;
    for (const auto& a : x.arrays)
        for (const auto& b : y.arrays) {
            const auto shared = static_cast<size_t>(std::count_if(
                a.axes.begin(), a.axes.end(), [&](size_t axis) { return contains(b.axes, axis); }));
            if (shared > 0 && shared < a.axes.size() && shared < b.axes.size())
                pairs.emplace_back(a.axes, b.axes);
        }
    return pairs;
}

}  // namespace

/// An axis that one operand has in full but cannot shrink is fixed in all. True when anything changed.
bool Labelling::fix_unlabelled_axes(std::vector<Labelled>& operands, const std::vector<int64_t>& shape) {
    bool changed = false;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == 1) continue;
        const auto has_fixed = [&](const Labelled& x) {
            return x.shape[axis] == shape[axis] && x.is_fixed(axis);
        };
        if (std::none_of(operands.begin(), operands.end(), has_fixed)) continue;
        for (auto& x : operands) {
            if (x.is_fixed(axis)) continue;
            fix_axis(x, axis, with_cause(node_, kCombined));
            changed = true;
        }
    }
    return changed;
}

/// Two operands' arrays may share only a part of their axes, as [heads, width of keys] and [heads, width of
/// values] in a product of keys and values do. Either what they share is made unable to shrink (the default)
/// or, with whole_heads, the rest.
void Labelling::separate_crossing(std::vector<Labelled>& operands) {
    if (options_.whole_heads) fix_widths(operands);
    if (std::count_if(operands.begin(), operands.end(), has_joint_array) < 2) return;
    const auto fix = [&](Labelled& x, const std::vector<size_t>& axes, const std::vector<size_t>& others) {
        for (const size_t axis : axes)
            if (contains(others, axis) != options_.whole_heads) fix_axis(x, axis, "part of a head is fixed");
    };
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t a = 0; a < operands.size(); ++a)
            for (size_t b = a + 1; b < operands.size(); ++b)
                for (const auto& [of_a, of_b] : crossing_arrays(operands[a], operands[b])) {
                    fix(operands[a], of_a, of_b);
                    fix(operands[b], of_b, of_a);
                    changed = true;
                }
    }
}

/// A parameter [heads, width] loses whole slices, while values seen as [heads, width] may lose any entry.
/// Either the heads are made unable to shrink (the default) or, with whole_heads, their width.
void Labelling::separate_slices(std::vector<Labelled>& operands) {
    const auto joint_over_slices = [&]() -> std::optional<std::vector<size_t>> {
        for (const auto& x : operands)
            for (const auto& array : x.arrays)
                for (const auto& y : operands)
                    if (array.axes.size() > 1 &&
                        std::count_if(y.arrays.begin(), y.arrays.end(), [&](const LabelArray& other) {
                            return std::any_of(other.axes.begin(), other.axes.end(),
                                               [&](size_t axis) { return contains(array.axes, axis); });
                        }) > 1)
                        return array.axes;
        return std::nullopt;
    };
    if (std::none_of(operands.begin(), operands.end(), has_joint_array)) return;
    while (const auto axes = joint_over_slices())
        for (auto& x : operands)
            for (const size_t axis : *axes)
                if ((axis == axes->back()) == options_.whole_heads)
                    fix_axis(x, axis, "part of a head is fixed");
}

/// With whole_heads, widths of heads that meet something of one head's width (as rotations of queries are)
/// stay.
void Labelling::fix_widths(std::vector<Labelled>& operands) {
    std::set<size_t> widths;
    for (const auto& x : operands)
        for (const auto& joint : x.arrays)
            for (const auto& other : operands) {
                const auto* narrow = other.covering(joint.axes.back());
                if (narrow != nullptr && narrow->axes.size() < joint.axes.size())
                    widths.insert(narrow->axes.begin(), narrow->axes.end());
            }
    found_heads_ = found_heads_ || !widths.empty();
    for (const size_t axis : widths)
        for (auto& x : operands) fix_axis(x, axis, "part of a head is fixed");
}

/// Joins arrays that share axes, directly or through others, and adds what they become to `result`. One of
/// them covers the axes of all others.
void Labelling::unite(Labelled& result, const std::vector<LabelArray>& arrays) {
    const auto& base = *std::max_element(
        arrays.begin(), arrays.end(),
        [](const LabelArray& a, const LabelArray& b) { return a.axes.size() < b.axes.size(); });
    LabelArray united = base;
    for (const auto& array : arrays) {
        if (array.labels == base.labels && array.axes == base.axes && array.blocks == base.blocks) continue;
        if (array.axes == base.axes)
            join(base.labels, array.labels, kCombined);
        else
            join(base.labels, share(expanded(result, array, base.axes)), kCombined);
        if (united.blocks.empty()) united.blocks = array.blocks;
    }
    result.arrays.push_back(std::move(united));
}

Labelled Labelling::broadcast(std::vector<Labelled> operands, const std::vector<int64_t>& shape) {
    Labelled result{shape, {}, false};
    for (auto& x : operands) align(x, shape.size());
    separate_crossing(operands);
    separate_slices(operands);
    while (fix_unlabelled_axes(operands, shape)) {
    }
    std::vector<LabelArray> open;
    for (auto& x : operands) open.insert(open.end(), x.arrays.begin(), x.arrays.end());
    while (!open.empty()) {
        std::vector<LabelArray> connected = {open.front()};
        open.erase(open.begin());
        std::set<size_t> axes(connected[0].axes.begin(), connected[0].axes.end());
        const auto shares_axis = [&](const LabelArray& array) {
            return std::any_of(array.axes.begin(), array.axes.end(),
                               [&](size_t axis) { return axes.count(axis) > 0; });
        };
        for (auto it = open.begin();
             (it = std::find_if(open.begin(), open.end(), shares_axis)) != open.end();) {
            axes.insert(it->axes.begin(), it->axes.end());
            connected.push_back(std::move(*it));
            open.erase(it);
        }
        unite(result, connected);
    }
    return result;
}

Labelled Labelling::reshape(const Labelled& x, const std::vector<int64_t>& shape) {
    Labelled result{shape, {}, x.vanishes};
    if (std::count(shape.begin(), shape.end(), 0) > 0) {
        freeze_all(x, "reshapes an empty tensor");
        return result;
    }
    if (c10::multiply_integers(x.shape) != c10::multiply_integers(shape)) {
        freeze_all(x, "takes some of the elements as others");
        return result;
    }
    const auto blocks = reshape_blocks(x.shape, shape);
    const auto merges = [&](const LabelArray& array) {
        return std::any_of(blocks.begin(), blocks.end(), [&](const ReshapeBlock& block) {
            return !block.is_same_axis() && touches(array, block);
        });
    };
    // Copies that are merged with other axes stay as many as they are.
    auto kept = x;
    for (const auto& array : x.arrays)
        if (merges(array) && is_unused(array)) {
            freeze(array.labels, "merges copies with other axes");
            kept.drop(array.axes[0]);
        }
    for (const auto& array : kept.arrays) {
        std::vector<size_t> sources, targets;
        bool same = true, alone = true;
        for (const auto& block : blocks) {
            if (!touches(array, block)) continue;
            sources.insert(sources.end(), block.sources.begin(), block.sources.end());
            targets.insert(targets.end(), block.targets.begin(), block.targets.end());
            same = same && block.is_same_axis();
            for (const auto& other : kept.arrays)
                alone = alone && (&other == &array || !touches(other, block));
        }
        if (!alone)
            freeze(array.labels, "merges two axes that can both shrink");
        else if (same)
            result.arrays.push_back({targets, ordered(x, array).labels, array.blocks});
        else
            simplify(result, {targets, share(expanded(x, array, sources)), array.blocks});
    }
    return result;
}

}  // namespace mtlprune
