// Lossless streams of labels for packed files: 8-bit ones are PNG files, floats are PNG files of their bytes.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// The bytes of `labels`, CV_8UC1, CV_8UC3 (a PNG file) or CV_32F with any number of channels C.
///
/// Floats [H, W, C] are coded as byte planes, one below the other in a grey PNG file of width W C, after a
/// header (all numbers little-endian):
///     uint32 planes            4: the bytes of each float, lowest first
///                              1 or 2: the bytes of a code k, lowest first, that stands for palette[k]
///     uint32 palette length    0 for 4 planes
///     uint32 palette bytes     size of what follows before the PNG file
///     palette                  zlib: the bit patterns (uint32) in rising order, each as the difference to
///     the
///                              one before, as 4 byte planes
/// so that every bit pattern, infinities and NaN included, comes back. Throws Error for another type.
std::vector<uint8_t> encode_labels(const cv::Mat& labels, int level);

/// The labels of such a stream of type `type`. Throws Error naming `place` for damaged streams and for
/// another type; takes no memory that the stream's own size does not explain.
cv::Mat decode_labels(const std::vector<uint8_t>& stream, int type, const std::string& place);

}  // namespace mtlprune
