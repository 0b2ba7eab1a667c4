// Turns the normals of a file, whatever its axes, into the unit vectors of Sample.
#pragma once

#include <array>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// Which channel of a file holds each of x (right), y (down), z (forward), and with which sign.
struct NormalAxes {
    std::array<int, 3> channel = {0, 1, 2};
    std::array<float, 3> sign = {1.0f, 1.0f, 1.0f};
    bool operator==(const NormalAxes&) const = default;
};

/// From the directions of the three channels, e.g. "right down forward" or "right up backward". Throws Error
/// naming `place` unless they are three of right, left, down, up, forward, backward along different axes.
NormalAxes parse_normal_axes(const std::string& directions, const std::string& place);

/// "right down forward": what parse_normal_axes() reads.
std::string normal_axes_text(const NormalAxes& axes);

/// All 48 of them.
const std::vector<NormalAxes>& all_normal_axes();

/// Those of a file that was read with `read`, when the result holds `found` instead of x, y, z.
NormalAxes corrected_axes(const NormalAxes& read, const NormalAxes& found);

/// 8-bit codes (CV_8UC3 in BGR order; the file's channels are red, green, blue) in the file's axes to the
/// codes of Sample; what means "masked" or "no normal" stays.
cv::Mat turned_codes(const cv::Mat& codes, const NormalAxes& axes);

/// `values` CV_32FC3 in the file's axes to unit vectors in those of Sample; vectors shorter than 1e-3 mean
/// "no normal" and become (0, 0, 0). Throws Error naming `place`, row and column for a vector that is not
/// finite or longer than 1.01.
cv::Mat unit_normals(const cv::Mat& values, const NormalAxes& axes, const std::string& place);

/// The fraction of the normals of `normals` (as in Sample) that face a camera in the middle of the image with
/// `focal_length` in image widths, 1 when there are no normals. What a camera sees faces it, so that little
/// more than 0 or 1/2 tells of wrong axes.
double facing_fraction(const cv::Mat& normals, double focal_length);

}  // namespace mtlprune
