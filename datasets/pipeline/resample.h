// Scaling, mirroring, padding and cropping in one step: only the pixels of the crop window are computed.
#pragma once

#include <cstdint>
#include <vector>

namespace mtlprune {

/// One axis (rows or columns) of the geometry: scale `source` pixels to `scaled`, mirror, pad at both ends,
/// crop.
struct AxisGeometry {
    int64_t source = 0;
    int64_t scaled = 0;
    bool mirror = false;
    int64_t pad_before = 0;  ///< padding pixels before the scaled ones
    int64_t crop_start = 0;  ///< in padded pixels
    int64_t length = 0;      ///< pixels kept
};

/// For each kept pixel in [begin, end) where it comes from; the others are padding. The index and weight
/// rules are those of OpenCV's cv::resize, so that results equal resizing everything with it.
struct AxisMap {
    int64_t begin = 0;
    int64_t end = 0;
    std::vector<int32_t> nearest;  ///< cv::INTER_NEAREST: source pixel
    std::vector<int32_t> first;    ///< cv::INTER_LINEAR on 8 bits: the two source pixels ...
    std::vector<int32_t> second;
    std::vector<int16_t> first_weight;  ///< ... and their weights, in units of 1/2048
    std::vector<int16_t> second_weight;
};

enum class Axis { rows, columns };

AxisMap map_axis(const AxisGeometry& geometry, Axis axis);

/// Rows and columns of the crop window.
struct Window {
    AxisMap rows;
    AxisMap columns;
};

/// Interpolates rows of a BGR image bilinearly, exactly as cv::resize(cv::INTER_LINEAR) does on 8 bits; equal
/// source rows are interpolated only once when window rows follow each other.
class BilinearRows {
  public:
    /// `image`: `stride` bytes per row of 3-channel pixels. Both arguments must outlive this object.
    BilinearRows(const uint8_t* image, int64_t stride, const Window& window);
    /// Channel c of window row y, for the columns in [begin, end) at c * columns + column. Valid until the
    /// next call.
    const uint8_t* row(int64_t y);

  private:
    const int16_t* horizontal(int32_t source_row, int slot_to_keep);

    const uint8_t* image_;
    int64_t stride_;
    const Window& window_;
    int64_t columns_;
    int32_t cached_row_[2] = {-1, -1};
    std::vector<int16_t> cached_[2];
    std::vector<uint8_t> result_;
};

}  // namespace mtlprune
