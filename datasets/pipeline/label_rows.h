// Moving the pixels of a label row by row.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

#include "datasets/pipeline/resample.h"

namespace mtlprune {

/// Copies the window's pixels of one source row; `row` keeps what it holds in the padding columns.
template <typename Pixel>
void gather(const Pixel* source, const AxisMap& columns, Pixel* row) {
    for (int64_t x = columns.begin; x < columns.end; ++x) row[x] = source[columns.nearest[x]];
}

/// Calls write(y, row) for every window row with the labels of that row, nearest neighbour, `padding` outside
/// the image.
template <typename Pixel, typename Write>
void for_each_row(const cv::Mat& labels, const Window& window, Pixel padding, const Write& write) {
    const std::vector<Pixel> outside(window.columns.nearest.size(), padding);
    std::vector<Pixel> row = outside;
    const auto height = static_cast<int64_t>(window.rows.nearest.size());
    int32_t gathered = -1;
    for (int64_t y = 0; y < height; ++y) {
        if (y < window.rows.begin || y >= window.rows.end) {
            write(y, outside.data());
            continue;
        }
        const int32_t source = window.rows.nearest[y];
        if (source != gathered) gather(labels.ptr<Pixel>(source), window.columns, row.data());
        gathered = source;
        write(y, row.data());
    }
}

}  // namespace mtlprune
