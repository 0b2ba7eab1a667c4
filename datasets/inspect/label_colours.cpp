#include "datasets/inspect/label_colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/inspect/contact_sheet.h"
#include "datasets/pipeline/label_kind.h"

namespace mtlprune {
namespace {

/// Thirteen colours that stay apart in neighbouring regions, sRGB 0xRRGGBB, in the order of NYU-13.
constexpr std::array<uint32_t, 13> kThirteen = {0x4363d8, 0xe6194b, 0xd9d9d9, 0x3cb44b, 0xb08d57,
                                                0x9a6324, 0xf58231, 0xf032e6, 0x911eb4, 0xffe119,
                                                0x46f0f0, 0x8fa9bf, 0xaaffc3};

cv::Vec3b from_rgb(uint32_t code) {
    return {static_cast<uint8_t>(code), static_cast<uint8_t>(code >> 8), static_cast<uint8_t>(code >> 16)};
}

cv::Mat colour_classes(const cv::Mat& label, int64_t classes) {
    cv::Mat table(1, 256, CV_8UC3, cv::Scalar::all(0));
    const std::vector<cv::Vec3b> colours = palette(classes);
    std::copy(colours.begin(), colours.end(), table.ptr<cv::Vec3b>());
    cv::Mat triple, coloured;
    cv::cvtColor(label, triple, cv::COLOR_GRAY2BGR);
    cv::LUT(triple, table, coloured);
    return coloured;
}

/// Codes (R right, G forward, B up) as the customary picture: red = right, green = up, blue = towards the
/// camera.
cv::Mat colour_normals(const cv::Mat& codes) {
    cv::Mat coloured(codes.size(), CV_8UC3);
    for (int y = 0; y < codes.rows; ++y) {
        const cv::Vec3b* in = codes.ptr<cv::Vec3b>(y);
        cv::Vec3b* out = coloured.ptr<cv::Vec3b>(y);
        for (int x = 0; x < codes.cols; ++x) {
            const cv::Vec3b& code = in[x];
            const bool masked =
                code[0] == 255 || code[1] == 255 || code[2] == 255 || code == cv::Vec3b(127, 127, 127);
            out[x] = masked ? cv::Vec3b(0, 0, 0)
                            : cv::Vec3b(static_cast<uint8_t>(255 - code[1]), code[0], code[2]);
        }
    }
    return coloured;
}

/// Perceptually even colours, logarithmic in depth; near is bright.
cv::Mat colour_depth(const cv::Mat& depth, std::pair<float, float> range) {
    const float low = std::log(range.first > 0 ? range.first : 1e-3f);
    const float span = std::max(std::log(range.second) - low, 1e-6f);
    cv::Mat codes(depth.size(), CV_8UC1), coloured;
    for (int y = 0; y < depth.rows; ++y) {
        const float* in = depth.ptr<float>(y);
        uint8_t* out = codes.ptr<uint8_t>(y);
        for (int x = 0; x < depth.cols; ++x)
            out[x] = in[x] > 0.0f
                         ? cv::saturate_cast<uint8_t>(255.0f * (1.0f - (std::log(in[x]) - low) / span))
                         : 0;
    }
    cv::applyColorMap(codes, coloured, cv::COLORMAP_VIRIDIS);
    coloured.setTo(cv::Scalar::all(0), ~(depth > 0.0f));
    return coloured;
}

cv::Mat colour_strength(const cv::Mat& strength) {
    cv::Mat codes, coloured;
    strength.convertTo(codes, CV_8U, 255.0);
    cv::cvtColor(codes, coloured, cv::COLOR_GRAY2BGR);
    return coloured;
}

}  // namespace

std::vector<cv::Vec3b> palette(int64_t classes) {
    if (classes < 1 || classes > 255) throw Error("palette", "classes", "1..255", std::to_string(classes));
    std::vector<cv::Vec3b> colours;
    if (classes <= static_cast<int64_t>(kThirteen.size())) {
        for (int64_t i = 0; i < classes; ++i) colours.push_back(from_rgb(kThirteen[i]));
        return colours;
    }
    // Hues a golden angle apart, in three shades.
    cv::Mat hsv(1, static_cast<int>(classes), CV_32FC3), bgr;
    for (int i = 0; i < hsv.cols; ++i) {
        const float hue = std::fmod(static_cast<float>(i) * 137.508f, 360.0f);
        const float shade = static_cast<float>(i % 3);
        hsv.at<cv::Vec3f>(i) = {hue, 0.45f + 0.2f * shade, 0.95f - 0.2f * shade};
    }
    cv::cvtColor(hsv, bgr, cv::COLOR_HSV2BGR);
    for (int i = 0; i < bgr.cols; ++i) {
        const cv::Vec3f colour = bgr.at<cv::Vec3f>(i) * 255.0f;
        colours.emplace_back(cv::saturate_cast<uint8_t>(colour[0]), cv::saturate_cast<uint8_t>(colour[1]),
                             cv::saturate_cast<uint8_t>(colour[2]));
    }
    return colours;
}

std::pair<float, float> depth_range(const cv::Mat& depth) {
    float low = INFINITY, high = 0.0f;
    for (int y = 0; y < depth.rows; ++y) {
        const float* row = depth.ptr<float>(y);
        for (int x = 0; x < depth.cols; ++x) {
            if (!(row[x] > 0.0f) || !std::isfinite(row[x])) continue;
            low = std::min(low, row[x]);
            high = std::max(high, row[x]);
        }
    }
    return high > 0.0f ? std::pair(low, high) : std::pair(0.0f, 1.0f);
}

cv::Mat colour_label(const cv::Mat& pixels, const TaskSpec& task, std::pair<float, float> range,
                     const std::string& place) {
    const LabelKind& kind = label_kind(task.kind);
    const auto& types = kind.pixel_types;
    if (std::find(types.begin(), types.end(), pixels.type()) == types.end() || pixels.dims != 2)
        throw Error("contact sheet", place, cv::typeToString(types.at(0)), cv::typeToString(pixels.type()));
    switch (kind.content) {
        case LabelContent::classes:
            return colour_classes(pixels, task.channels);
        case LabelContent::directions:
            return colour_normals(pixels.type() == CV_32FC3 ? encode_normals(pixels) : pixels);
        case LabelContent::values:
            break;
    }
    return kind.range.logarithmic ? colour_depth(pixels, range) : colour_strength(pixels);
}

}  // namespace mtlprune
