// Reads image and label files whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// An 8-bit colour image, PNG or JPEG (recognised by content), as CV_8UC3 in BGR order.
/// Throws Error naming the file for anything else: missing, truncated or damaged files (image libraries may
/// return garbage for those), grey images, images with alpha, 16-bit images.
cv::Mat read_colour_image(const std::filesystem::path& path);
/// The same from the file's bytes; `place` is named in messages.
cv::Mat decode_colour_image(const std::vector<uint8_t>& bytes, const std::string& place);

/// An 8-bit single-channel PNG of class indices as CV_8UC1, values unchanged. Throws Error naming the file
/// for anything else, in particular colour, palette, alpha, JPEG and 1-, 2-, 4- or 16-bit images, whose
/// values decoding would alter.
cv::Mat read_label_image(const std::filesystem::path& path);

/// A 16-bit single-channel PNG (depth, disparity, strengths) as CV_16UC1, values unchanged. Throws Error
/// naming the file for anything else.
cv::Mat read_grey16_image(const std::filesystem::path& path);

}  // namespace mtlprune
