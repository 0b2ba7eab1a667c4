#include "pruning/ops/families.h"

namespace mtlprune {

size_t wrap_axis(int64_t axis, size_t rank) {
    return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

std::optional<size_t> axis_argument(const TracedGraph& graph, const TracedNode& node, size_t input,
                                    size_t rank) {
    if (input >= node.inputs.size()) return std::nullopt;
    const auto named = graph.integers(node.inputs[input]);
    if (!named || named->size() != 1) return std::nullopt;
    const auto axis = wrap_axis(named->front(), rank);
    return axis < rank ? std::optional(axis) : std::nullopt;
}

std::vector<int64_t> range(int64_t first, int64_t count, int64_t step) {
    std::vector<int64_t> picks(count);
    for (int64_t i = 0; i < count; ++i) picks[i] = first + i * step;
    return picks;
}

Labelled part_of(Labelling& l, Labelled x, size_t axis, const std::vector<int64_t>& picks) {
    if (picks.size() != 1) return picked(x, axis, picks);
    const auto* array = x.covering(axis);
    if (array != nullptr && array->axes.size() == 1) {
        l.freeze_range(array->labels, picks[0], picks[0] + 1, kSelected);
        x.drop(axis);
    }
    l.fix_axis(x, axis, kSelected);
    return picked(x, axis, picks);
}

torch::Tensor on_meta(std::vector<int64_t> shape, c10::ScalarType type) {
    return torch::empty(shape, torch::TensorOptions().dtype(type).device(torch::kMeta));
}

torch::Tensor shape_of_first(const std::vector<c10::IValue>& arguments) {
    const auto& x = arguments[0].toTensor();
    return on_meta(x.sizes().vec(), x.scalar_type());
}

}  // namespace mtlprune
