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

std::string normal_axes_text(const NormalAxes& axes) {
    std::string words[3];
    for (const Direction& d : kDirections)
        if (axes.sign[d.axis] == d.sign) words[axes.channel[d.axis]] = d.name;
    return words[0] + " " + words[1] + " " + words[2];
}

const std::vector<NormalAxes>& all_normal_axes() {
    static const std::vector<NormalAxes> all = [] {
        std::vector<NormalAxes> axes;
        std::array<int, 3> order = {0, 1, 2};
        do
            for (int signs = 0; signs < 8; ++signs)
                axes.push_back(
                    {order, {signs & 1 ? -1.0f : 1.0f, signs & 2 ? -1.0f : 1.0f, signs & 4 ? -1.0f : 1.0f}});
        while (std::next_permutation(order.begin(), order.end()));
        return axes;
    }();
    return all;
}

NormalAxes corrected_axes(const NormalAxes& read, const NormalAxes& found) {
    NormalAxes axes;
    for (int axis = 0; axis < 3; ++axis) {
        axes.channel[axis] = read.channel[found.channel[axis]];
        axes.sign[axis] = found.sign[axis] * read.sign[found.channel[axis]];
    }
    return axes;
}

cv::Mat turned_codes(const cv::Mat& codes, const NormalAxes& axes) {
    // Sample's codes are B = up, G = forward, R = right.
    constexpr int kAxis[] = {1, 2, 0};
    cv::Mat turned(codes.size(), CV_8UC3);
    for (int y = 0; y < codes.rows; ++y) {
        const cv::Vec3b* in = codes.ptr<cv::Vec3b>(y);
        cv::Vec3b* out = turned.ptr<cv::Vec3b>(y);
        for (int x = 0; x < codes.cols; ++x) {
            const int largest = std::max({in[x][0], in[x][1], in[x][2]}),
                      smallest = std::min({in[x][0], in[x][1], in[x][2]});
            out[x] = in[x];
            if (largest == 255 || (smallest >= 127 && largest <= 128)) continue;
            for (int c = 0; c < 3; ++c) {
                const uint8_t code = in[x][2 - axes.channel[kAxis[c]]];
                const bool same = (axes.sign[kAxis[c]] > 0.0f) == (kAxis[c] != 1);
                out[x][c] = same ? code : static_cast<uint8_t>(std::min(255 - code, 254));
            }
        }
    }
    return turned;
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
