#include "datasets/layouts/taskonomy/taskonomy_labels.h"

#include <algorithm>
#include <cmath>

#include "datasets/contract/label_checks.h"

namespace mtlprune {
namespace {

constexpr uint16_t kMissing = 65535;
constexpr float kMetres = 1.0f / 512.0f;

template <typename In, typename Out, typename Decode>
cv::Mat decode(const cv::Mat& codes, int type, const Decode& decode_pixel) {
    cv::Mat values(codes.size(), type);
    for (int y = 0; y < codes.rows; ++y) {
        const In* in = codes.ptr<In>(y);
        std::transform(in, in + codes.cols, values.ptr<Out>(y), decode_pixel);
    }
    return values;
}

}  // namespace

std::vector<std::string> taskonomy_class_names() {
    return {"background",   "bottle",       "chair", "couch",     "potted plant", "bed",
            "dining table", "toilet",       "tv",    "microwave", "oven",         "toaster",
            "sink",         "refrigerator", "book",  "clock",     "vase"};
}

std::vector<double> taskonomy_class_weights() {
    return {0.5424101545316286, 9.167444264663153, 7.330989635915637, 7.16203488410204,  8.722885039252004,
            7.613303108675387,  8.236923848461837, 9.14858036158062,  8.822022530000094, 9.085791785653203,
            8.914073274362071,  9.177232243233279, 9.035390226875837, 8.60391777431101,  9.169916913508088,
            9.146730210081722,  9.137361690398354};
}

cv::Mat decode_taskonomy_classes(const cv::Mat& codes, const std::string& place) {
    check_classes(codes, 18, place);
    return decode<uint8_t, uint8_t>(codes, CV_8UC1, [](uint8_t code) {
        return code == 0 || code == kIgnore ? kIgnore : static_cast<uint8_t>(code - 1);
    });
}

cv::Mat decode_taskonomy_depth(const cv::Mat& codes) {
    return decode<uint16_t, float>(codes, CV_32FC1, [](uint16_t code) {
        return code == kMissing ? 0.0f : static_cast<float>(code) * kMetres;
    });
}

cv::Mat decode_taskonomy_strength(const cv::Mat& codes, double largest) {
    const auto scale = static_cast<float>(1.0 / (65536.0 * largest));
    return decode<uint16_t, float>(
        codes, CV_32FC1, [=](uint16_t code) { return std::min(static_cast<float>(code) * scale, 1.0f); });
}

cv::Mat decode_taskonomy_normals(const cv::Mat& codes) {
    return decode<cv::Vec3b, cv::Vec3f>(codes, CV_32FC3, [](const cv::Vec3b& code) {
        const auto is_zero = [](uint8_t c) { return c == 127 || c == 128; };
        if (is_zero(code[0]) && is_zero(code[1]) && is_zero(code[2])) return cv::Vec3f();
        const auto component = [](uint8_t c) { return static_cast<float>(2 * c - 255); };
        const cv::Vec3f n(component(code[2]), component(code[1]), component(code[0]));
        return n * (1.0f / std::sqrt(n.dot(n)));
    });
}

}  // namespace mtlprune
