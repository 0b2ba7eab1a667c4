#include "datasets/pipeline/normal_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "datasets/codecs/normal_codes.h"

namespace mtlprune {
namespace {

constexpr float kShortest = 1e-3f, kLongest = 1.01f;

struct Direction {
    const char* name;
    int axis;
    float sign;
};

constexpr Direction kDirections[] = {{"right", 0, 1.0f}, {"left", 0, -1.0f},   {"down", 1, 1.0f},
                                     {"up", 1, -1.0f},   {"forward", 2, 1.0f}, {"backward", 2, -1.0f}};

}  // namespace

NormalAxes parse_normal_axes(const std::string& directions, const std::string& place) {
    NormalAxes axes;
    unsigned seen = 0;
    int channel = 0;
    std::istringstream words(directions);
    for (std::string word; words >> word; ++channel) {
        const auto* found = std::find_if(std::begin(kDirections), std::end(kDirections),
                                         [&](const Direction& d) { return word == d.name; });
        if (found == std::end(kDirections) || channel == 3) {
            seen = 0;
            break;
        }
        axes.channel[found->axis] = channel;
        axes.sign[found->axis] = found->sign;
        seen |= 1u << found->axis;
    }
    if (seen != 7 || channel != 3)
        throw Error("normals", place, "three directions like 'right down forward', one along each axis",
                    "'" + directions + "'");
    return axes;
}

cv::Mat unit_normals(const cv::Mat& values, const NormalAxes& axes, const std::string& place) {
    cv::Mat normals(values.size(), CV_32FC3);
    for (int y = 0; y < values.rows; ++y) {
        const cv::Vec3f* in = values.ptr<cv::Vec3f>(y);
        cv::Vec3f* out = normals.ptr<cv::Vec3f>(y);
        for (int x = 0; x < values.cols; ++x) {
            const float length = std::sqrt(in[x].dot(in[x]));
            if (!(length <= kLongest))
                throw Error("normals", place, "unit vectors or (0, 0, 0)",
                            fmt::format("length {} at row {}, column {}", length, y, x));
            const float scale = length < kShortest ? 0.0f : 1.0f / length;
            for (int axis = 0; axis < 3; ++axis)
                out[x][axis] = axes.sign[axis] * scale * in[x][axes.channel[axis]];
        }
    }
    return normals;
}

double facing_fraction(const cv::Mat& normals, double focal_length) {
    const double focal = focal_length * normals.cols;
    const double centre_x = 0.5 * (normals.cols - 1), centre_y = 0.5 * (normals.rows - 1);
    int64_t facing = 0, all = 0;
    for (int y = 0; y < normals.rows; ++y) {
        const cv::Vec3f* row = normals.ptr<cv::Vec3f>(y);
        for (int x = 0; x < normals.cols; ++x) {
            all += is_normal(row[x]);
            facing += row[x][0] * (x - centre_x) + row[x][1] * (y - centre_y) + row[x][2] * focal < 0.0;
        }
    }
    return all == 0 ? 1.0 : static_cast<double>(facing) / static_cast<double>(all);
}

}  // namespace mtlprune
