// How long one convolution takes for any number of input and output channels, from measurements on a grid.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/kit/layers.h"

namespace mtlprune {

struct LatencyTable {
    std::vector<int64_t> inputs, outputs;      ///< channels, ascending
    std::vector<std::vector<double>> seconds;  ///< [inputs][outputs]

    /// Between the points of the grid linearly in both directions; below the first point and beyond the last
    /// the nearest one's.
    double at(int64_t in, int64_t out) const;

    nlohmann::json to_json() const;
    /// Throws Error naming `place` on another form.
    static LatencyTable from_json(const nlohmann::json& json, const std::string& place);
};

/// Channels worth measuring of a layer with `most`: multiples of 8 up to 128, at most 16 points above, and
/// half of the smallest of them again and again down to 1.
std::vector<int64_t> grid_of(int64_t most);

/// Seconds of one run of a layer.
using MeasureLayer = std::function<double(const LayerShape&)>;

/// Of a layer (of one group of channels) and all that it can shrink to.
LatencyTable measure_table(const LayerShape& layer, const MeasureLayer& measure,
                           const std::function<void(double)>& on_progress = {});

/// No layer is slower than one with more channels: neighbours for which it is so get their mean. Returns the
/// largest share by which a value was changed: noise, or widths that an engine dislikes.
double make_monotone(LatencyTable& table);

}  // namespace mtlprune
