// Small data sets in MTAN's layouts written by the tests themselves.
#pragma once

#include "tests/datasets/adashare_folder.h"

namespace mtlprune {

/// The .npy file of an array in its own type, shape (H, W, C), or (H, W) with one channel.
inline std::string npy_of_pixels(const cv::Mat& pixels, const std::string& type) {
    const std::string shape = pixels.channels() == 1
                                  ? fmt::format("({}, {})", pixels.rows, pixels.cols)
                                  : fmt::format("({}, {}, {})", pixels.rows, pixels.cols, pixels.channels());
    return npy_bytes(type, false, shape,
                     {reinterpret_cast<const char*>(pixels.data), pixels.total() * pixels.elemSize()});
}

/// Random 8-bit pixels in the given channel order as float64 in 0..1, like the published archives.
inline cv::Mat unit_pixels(const cv::Mat& pixels) {
    cv::Mat scaled;
    pixels.convertTo(scaled, CV_64F, 1.0 / 255.0);
    return scaled;
}

/// Whole numbers below `classes`, every seventh -1, in the type `depth`.
inline cv::Mat class_values(int height, int width, uint64_t key, int classes, int depth) {
    cv::Mat values;
    random_pixels(height, width, 1, key, classes).convertTo(values, CV_32F);
    for (int i = 0; i < height * width; i += 7) values.ptr<float>()[i] = -1.0f;
    values.convertTo(values, depth);
    return values;
}

/// What a reader should make of class_values().
inline cv::Mat class_labels(const cv::Mat& values) {
    cv::Mat exact, labels;
    values.convertTo(exact, CV_32F);
    exact.setTo(255.0f, exact == -1.0f);
    exact.convertTo(labels, CV_8U);
    return labels;
}

inline bool equal(const cv::Mat& a, const cv::Mat& b) {
    return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0.0;
}

inline void write_into(const std::filesystem::path& path, const std::string& bytes) {
    std::filesystem::create_directories(path.parent_path());
    write_bytes(path, bytes);
}

}  // namespace mtlprune
