#include "datasets/pipeline/resized_dataset.h"

#include <fmt/format.h>

#include <opencv2/imgproc.hpp>

namespace mtlprune {

ResizedDataset::ResizedDataset(std::shared_ptr<const Dataset> source, int64_t height, int64_t width)
    : source_(std::move(source)), size_(static_cast<int>(width), static_cast<int>(height)) {}

Sample ResizedDataset::get(int64_t index) const {
    Sample sample = source_->get(index);
    cv::Mat resized;
    cv::resize(sample.image, resized, size_, 0, 0, cv::INTER_AREA);
    sample.image = resized;
    for (Label& label : sample.labels) {
        if (label.pixels.empty()) continue;
        cv::Mat nearest;
        cv::resize(label.pixels, nearest, size_, 0, 0, cv::INTER_NEAREST);
        label.pixels = nearest;
    }
    return sample;
}

std::string ResizedDataset::description() const {
    return fmt::format("{}, resized to {}x{}", source_->description(), size_.width, size_.height);
}

}  // namespace mtlprune
