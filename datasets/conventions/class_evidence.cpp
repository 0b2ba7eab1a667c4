#include "datasets/conventions/class_evidence.h"

#include <algorithm>
#include <bitset>

namespace mtlprune {
namespace {

constexpr size_t kLeastFrames = 2, kLeastPerFrame = 4;
constexpr int64_t kIgnoreValue = 255, kTrainIds = 19;

using Values = std::bitset<256>;

Values values_of(const cv::Mat& labels) {
    Values values;
    for (int y = 0; y < labels.rows; ++y)
        for (int x = 0; x < labels.cols; ++x) values.set(labels.at<uint8_t>(y, x));
    return values;
}

int64_t largest(const Values& values) {
    for (int64_t v = kIgnoreValue - 1; v >= 0; --v)
        if (values.test(static_cast<size_t>(v))) return v;
    return -1;
}

}  // namespace

std::optional<ClassNumbering> smaller_numbering(const std::vector<cv::Mat>& labels, int64_t classes,
                                                std::vector<int64_t> numbers) {
    Values all;
    size_t frames = 0;
    for (const cv::Mat& label : labels) {
        Values values = values_of(label);
        all |= values;
        values.reset(kIgnoreValue);
        frames += values.count() >= kLeastPerFrame;
    }
    const bool ignores = all.test(kIgnoreValue);
    const int64_t most = largest(all);
    all.reset(kIgnoreValue);
    std::sort(numbers.begin(), numbers.end());
    for (const int64_t number : numbers) {
        if (number >= classes) break;
        if (most > number || (most == number && ignores)) continue;
        if (frames < std::max(kLeastFrames, labels.size() / 2)) return std::nullopt;
        if (static_cast<int64_t>(all.count()) * 3 < number * 2) return std::nullopt;
        return ClassNumbering{number, most == number ? 1 : 0};
    }
    return std::nullopt;
}

bool are_cityscapes_train_ids(const std::vector<cv::Mat>& ids) {
    Values all;
    for (const cv::Mat& labels : ids) all |= values_of(labels);
    return all.test(kIgnoreValue) && largest(all) < kTrainIds && all.count() > kLeastPerFrame;
}

}  // namespace mtlprune
