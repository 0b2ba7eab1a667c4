// Small AdaShare-layout data sets written by the tests themselves.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune {

/// A version 1.0 .npy file; `shape` as in "(2, 3)", `values` the raw bytes.
inline std::string npy_bytes(const std::string& type, bool fortran, const std::string& shape,
                             const std::string& values) {
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", type,
                                     fortran ? "True" : "False", shape);
    header.resize((10 + header.size() + 64) / 64 * 64 - 11, ' ');
    header += '\n';
    std::string bytes = "\x93NUMPY";
    bytes += {'\x01', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
    return bytes + header + values;
}

template <typename T>
std::string raw_bytes(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string npy_of(const cv::Mat& depth) {
    return npy_bytes("<f4", false, fmt::format("({}, {})", depth.rows, depth.cols),
                     {reinterpret_cast<const char*>(depth.data), depth.total() * sizeof(float)});
}

/// Independent random values in every pixel: any wrong index shows.
inline cv::Mat random_pixels(int height, int width, int channels, uint64_t key, int below = 256) {
    Random random(key);
    cv::Mat pixels(height, width, CV_MAKETYPE(CV_8U, channels));
    for (size_t i = 0; i < pixels.total() * channels; ++i)
        pixels.data[i] = static_cast<uint8_t>(random.below(below));
    return pixels;
}

inline cv::Mat random_depth(int height, int width, uint64_t key) {
    Random random(key);
    cv::Mat depth(height, width, CV_32FC1);
    for (float& value : cv::Mat_<float>(depth)) value = static_cast<float>(random.uniform(0.0, 10.0));
    return depth;
}

/// `frames` frames of height x width under train/ and one list file with the splits train and test (the first
/// frame).
class AdaShareFolder : public TemporaryFolder {
  public:
    AdaShareFolder(int frames, int height, int width) {
        nlohmann::json train = nlohmann::json::array();
        for (int i = 0; i < frames; ++i) {
            const auto name = [&](const char* modality, const char* ending) {
                return fmt::format("{}{}.{}", modality, i, ending);
            };
            const uint64_t key = 100 * static_cast<uint64_t>(i);
            cv::imwrite((*this / name("img", "png")).string(), random_pixels(height, width, 3, key));
            cv::imwrite((*this / name("seg", "png")).string(), random_pixels(height, width, 1, key + 1, 40));
            cv::imwrite((*this / name("normal", "png")).string(),
                        random_pixels(height, width, 3, key + 2, 255));
            write_bytes(*this / name("depth", "npy"), npy_of(random_depth(height, width, key + 3)));
            train.push_back(
                {name("img", "png"), name("seg", "png"), name("normal", "png"), name("depth", "npy")});
        }
        write_list({{"train", train}, {"test", nlohmann::json::array({train[0]})}});
    }
    void write_list(const nlohmann::json& list) const {
        write_bytes(*this / "nyu_v2_3task.json", list.dump());
    }
};

}  // namespace mtlprune
