#include "datasets/contract/label_checks.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace mtlprune {
namespace {

/// Runs through whole rows without leaving them early, so that the compiler can use vector instructions; the
/// exact position is searched only in a row that fails.
template <typename T, typename IsWrong>
void check_values(const cv::Mat& values, const std::string& place, const std::string& expected,
                  const IsWrong& is_wrong) {
    const int channels = values.channels(), count = values.cols * channels;
    for (int y = 0; y < values.rows; ++y) {
        const T* row = values.ptr<T>(y);
        unsigned wrong = 0;
        for (int i = 0; i < count; ++i) wrong |= is_wrong(row[i]);
        if (wrong == 0) continue;
        int i = 0;
        while (!is_wrong(row[i])) ++i;
        throw Error("labels", place, expected,
                    fmt::format("{} at row {}, column {}", row[i], y, i / channels));
    }
}

}  // namespace

void check_classes(const cv::Mat& labels, int64_t classes, const std::string& place) {
    const auto limit = static_cast<uint8_t>(classes);
    check_values<uint8_t>(
        labels, place, fmt::format("classes 0..{} or 255", classes - 1),
        [=](uint8_t label) { return static_cast<uint8_t>((label >= limit) & (label != 255)); });
}

void check_depth(const cv::Mat& depth, const std::string& place) {
    check_values<float>(depth, place, "finite metres, not negative", [](float metres) {
        return static_cast<unsigned>(!(metres >= 0.0f)) |
               static_cast<unsigned>(metres > std::numeric_limits<float>::max());
    });
}

void check_range(const cv::Mat& values, float low, float high, const std::string& place) {
    check_values<float>(values, place, fmt::format("values in {}..{}", low, high), [=](float value) {
        return static_cast<unsigned>(!(value >= low)) | static_cast<unsigned>(!(value <= high));
    });
}

void check_class_values(const cv::Mat& values, int64_t classes, float ignore, const std::string& place) {
    const auto limit = static_cast<float>(classes);
    check_values<float>(
        values, place, fmt::format("classes 0..{} or {}", classes - 1, ignore), [=](float value) {
            const bool is_class = value >= 0.0f && value < limit && value == std::trunc(value);
            return static_cast<unsigned>(!is_class && value != ignore);
        });
}

}  // namespace mtlprune
