// Checks the structure of PNG files and decodes the common kinds several times faster than libpng.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mtlprune {

/// What a PNG file says about itself (W3C PNG specification, chunk IHDR).
struct PngHeader {
    int64_t width = 0;
    int64_t height = 0;
    int bit_depth = 0;
    int colour_type = 0;  ///< 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha
    bool interlaced = false;
    bool transparency = false;  ///< has a tRNS chunk
};

/// Walks all chunks. Throws Error naming `place` for a truncated or malformed file: a chunk that reaches
/// beyond the end, a wrong check sum, no IEND, or more pixels than the image data can hold.
PngHeader check_png(const std::vector<uint8_t>& bytes, const std::string& place);

/// The pixels of a checked PNG file, CV_8UC1 or CV_8UC3 (BGR), when it is 8-bit grey or RGB, not interlaced
/// and without transparency; nothing otherwise. Throws Error naming `place` on damaged image data.
std::optional<cv::Mat> decode_plain_png(const std::vector<uint8_t>& bytes, const PngHeader& header,
                                        const std::string& place);

}  // namespace mtlprune
