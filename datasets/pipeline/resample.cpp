#include "datasets/pipeline/resample.h"

#include <algorithm>
#include <cmath>

namespace mtlprune {
namespace {

constexpr float kOne = 2048.0f;  // cv::resize's INTER_RESIZE_COEF_SCALE

int16_t fixed_point(float weight) {
    return static_cast<int16_t>(std::lrint(weight * kOne));
}

/// Rows outside the image are clamped with their weights; columns outside get all weight on the border (as
/// cv::resize).
void add_linear(AxisMap& map, Axis axis, int64_t scaled_index, double step, int64_t source) {
    auto offset = static_cast<float>((static_cast<double>(scaled_index) + 0.5) * step - 0.5);
    auto index = static_cast<int64_t>(std::floor(offset));
    offset -= static_cast<float>(index);
    if (axis == Axis::columns && (index < 0 || index >= source - 1)) offset = 0.0f;
    map.first.push_back(static_cast<int32_t>(std::clamp<int64_t>(index, 0, source - 1)));
    map.second.push_back(static_cast<int32_t>(std::clamp<int64_t>(index + 1, 0, source - 1)));
    map.first_weight.push_back(fixed_point(1.0f - offset));
    map.second_weight.push_back(fixed_point(offset));
}

/// cv::resize's vertical step.
void blend(const int16_t* upper, int upper_weight, const int16_t* lower, int lower_weight, int64_t length,
           uint8_t* __restrict result) {
    for (int64_t i = 0; i < length; ++i)
        result[i] = static_cast<uint8_t>(
            (((upper[i] * upper_weight) >> 16) + ((lower[i] * lower_weight) >> 16) + 2) >> 2);
}

}  // namespace

AxisMap map_axis(const AxisGeometry& g, Axis axis) {
    AxisMap map;
    // The two roundings of 1 / (scaled / source) are cv::resize's; source / scaled can differ in the last
    // bit.
    const double step = 1.0 / (static_cast<double>(g.scaled) / static_cast<double>(g.source));
    map.begin = std::clamp<int64_t>(g.pad_before - g.crop_start, 0, g.length);
    map.end = std::clamp<int64_t>(g.pad_before + g.scaled - g.crop_start, map.begin, g.length);
    for (int64_t i = 0; i < g.length; ++i) {
        int64_t scaled = std::clamp<int64_t>(g.crop_start + i - g.pad_before, 0, g.scaled - 1);
        if (g.mirror) scaled = g.scaled - 1 - scaled;
        const auto nearest = static_cast<int64_t>(std::floor(static_cast<double>(scaled) * step));
        map.nearest.push_back(static_cast<int32_t>(std::min(nearest, g.source - 1)));
        add_linear(map, axis, scaled, step, g.source);
    }
    return map;
}

BilinearRows::BilinearRows(const uint8_t* image, int64_t stride, const Window& window)
    : image_(image),
      stride_(stride),
      window_(window),
      columns_(static_cast<int64_t>(window.columns.nearest.size())) {
    for (auto& row : cached_) row.resize(3 * columns_);
    result_.resize(3 * columns_);
}

/// One source row at the window's columns, 1/16 of cv::resize's intermediate values, which then fit 16 bits.
const int16_t* BilinearRows::horizontal(int32_t source_row, int slot_to_keep) {
    for (int slot = 0; slot < 2; ++slot)
        if (cached_row_[slot] == source_row) return cached_[slot].data();
    const int slot = slot_to_keep == 0 ? 1 : 0;
    cached_row_[slot] = source_row;
    int16_t* const out = cached_[slot].data();
    const AxisMap& map = window_.columns;
    const uint8_t* const pixels = image_ + source_row * stride_;
    for (int64_t x = map.begin; x < map.end; ++x) {
        const uint8_t* const a = pixels + 3 * map.first[x];
        const uint8_t* const b = pixels + 3 * map.second[x];
        const int wa = map.first_weight[x], wb = map.second_weight[x];
        out[x] = static_cast<int16_t>((a[0] * wa + b[0] * wb) >> 4);
        out[columns_ + x] = static_cast<int16_t>((a[1] * wa + b[1] * wb) >> 4);
        out[2 * columns_ + x] = static_cast<int16_t>((a[2] * wa + b[2] * wb) >> 4);
    }
    return out;
}

const uint8_t* BilinearRows::row(int64_t y) {
    const AxisMap& map = window_.rows;
    // The second row may already lie in either slot; the first must not overwrite it, nor it the first.
    const int second_slot = cached_row_[0] == map.second[y] ? 0 : 1;
    const int16_t* const upper = horizontal(map.first[y], second_slot);
    const int16_t* const lower = horizontal(map.second[y], upper == cached_[0].data() ? 0 : 1);
    blend(upper, map.first_weight[y], lower, map.second_weight[y], 3 * columns_, result_.data());
    return result_.data();
}

}  // namespace mtlprune
