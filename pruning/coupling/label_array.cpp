#include "pruning/coupling/label_array.h"

#include <algorithm>

namespace mtlprune {
namespace {

int64_t count(const Labelled& x, const std::vector<size_t>& axes) {
    int64_t product = 1;
    for (const size_t axis : axes) product *= x.shape[axis];
    return product;
}

}  // namespace

bool contains(const std::vector<size_t>& axes, size_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

const LabelArray* Labelled::covering(size_t axis) const {
    for (const auto& array : arrays)
        if (contains(array.axes, axis)) return &array;
    return nullptr;
}

void Labelled::drop(size_t axis) {
    std::erase_if(arrays, [&](const LabelArray& array) { return contains(array.axes, axis); });
}

int64_t Labelled::stride(const LabelArray& array, size_t axis) const {
    int64_t stride = 1;
    for (auto it = array.axes.rbegin(); it != array.axes.rend() && *it != axis; ++it) stride *= shape[*it];
    return stride;
}

Labels expanded(const Labelled& x, const LabelArray& array, const std::vector<size_t>& axes) {
    if (array.axes == axes) return *array.labels;
    std::vector<int64_t> strides(axes.size()), index(axes.size());
    for (size_t i = 0; i < axes.size(); ++i)
        strides[i] = contains(array.axes, axes[i]) ? x.stride(array, axes[i]) : 0;
    Labels result(count(x, axes));
    int64_t source = 0;
    for (auto& label : result) {
        label = (*array.labels)[source];
        for (size_t i = axes.size(); i-- > 0;) {  // odometer
            source += strides[i];
            if (++index[i] < x.shape[axes[i]]) break;
            source -= strides[i] * index[i];
            index[i] = 0;
        }
    }
    return result;
}

LabelArray indexed(const Labelled& x, const LabelArray& array, size_t axis,
                   const std::vector<int64_t>& picks) {
    const int64_t inner = x.stride(array, axis), size = x.shape[axis];
    const int64_t outer = static_cast<int64_t>(array.labels->size()) / (inner * size);
    Labels labels;
    labels.reserve(outer * picks.size() * inner);
    for (int64_t o = 0; o < outer; ++o)
        for (const int64_t pick : picks) {
            const auto first = array.labels->begin() + (o * size + std::max<int64_t>(pick, 0)) * inner;
            if (pick < 0)
                labels.insert(labels.end(), inner, kFixedLabel);
            else
                labels.insert(labels.end(), first, first + inner);
        }
    return {array.axes, share(std::move(labels)), array.blocks};
}

LabelArray without_axis(const Labelled& x, const LabelArray& array, size_t axis) {
    auto result = indexed(x, array, axis, {0});
    std::erase(result.axes, axis);
    return result;
}

LabelArray ordered(const Labelled& x, const LabelArray& array) {
    auto axes = array.axes;
    std::sort(axes.begin(), axes.end());
    if (axes == array.axes) return array;
    return {axes, share(expanded(x, array, axes)), array.blocks};
}

Labelled permuted(const Labelled& x, const std::vector<size_t>& order) {
    Labelled result;
    result.vanishes = x.vanishes;
    std::vector<size_t> place(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
        result.shape.push_back(x.shape[order[i]]);
        place[order[i]] = i;
    }
    result.arrays = x.arrays;
    for (auto& array : result.arrays)
        for (auto& axis : array.axes) axis = place[axis];
    return result;
}

Labelled picked(Labelled x, size_t axis, const std::vector<int64_t>& picks) {
    for (auto& array : x.arrays)
        if (contains(array.axes, axis)) array = indexed(x, array, axis, picks);
    x.shape[axis] = static_cast<int64_t>(picks.size());
    if (x.shape[axis] == 1) {
        for (auto& array : x.arrays) std::erase(array.axes, axis);
        std::erase_if(x.arrays, [](const LabelArray& array) { return array.axes.empty(); });
    }
    return x;
}

Labels repeat_each(const Labels& labels, int64_t times) {
    Labels result;
    result.reserve(labels.size() * times);
    for (const Label label : labels) result.insert(result.end(), times, label);
    return result;
}

Labels tile(const Labels& labels, int64_t times) {
    Labels result;
    result.reserve(labels.size() * times);
    for (int64_t i = 0; i < times; ++i) result.insert(result.end(), labels.begin(), labels.end());
    return result;
}

LabelsPtr share(Labels labels) {
    return std::make_shared<const Labels>(std::move(labels));
}

}  // namespace mtlprune
