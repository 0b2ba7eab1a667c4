#include "datasets/pipeline/resized_dataset.h"

#include <gtest/gtest.h>

namespace mtlprune::resized_dataset_test {
namespace {

/// One frame of 4x6 pixels: pixel (y, x) of every modality is 10 y + x.
class Ramp : public Dataset {
  public:
    int64_t size() const override { return 5; }
    Sample get(int64_t index) const override {
        Sample sample;
        sample.id = "frame " + std::to_string(index);
        sample.image = cv::Mat(4, 6, CV_8UC3);
        sample.labels.resize(4);  // the last is missing
        sample.labels[0].pixels = cv::Mat(4, 6, CV_8UC1);
        sample.labels[1].pixels = cv::Mat(4, 6, CV_8UC3);
        sample.labels[2].pixels = cv::Mat(4, 6, CV_32FC1);
        for (int y = 0; y < 4; ++y)
            for (int x = 0; x < 6; ++x) {
                const auto value = static_cast<uint8_t>(10 * y + x);
                sample.image.at<cv::Vec3b>(y, x) = {value, static_cast<uint8_t>(2 * value), 0};
                sample.labels[0].pixels.at<uint8_t>(y, x) = value;
                sample.labels[1].pixels.at<cv::Vec3b>(y, x) = {value, 0, 255};
                sample.labels[2].pixels.at<float>(y, x) = static_cast<float>(value) + 0.25f;
            }
        return sample;
    }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "ramp"; }

  private:
    std::vector<TaskSpec> tasks_ = nyuv2_tasks(40);
};

TEST(ResizedDataset, AveragesTheImageAndPicksLabels) {
    const ResizedDataset half(std::make_shared<Ramp>(), 2, 3);
    const auto sample = half.get(1);
    ASSERT_EQ(sample.image.size(), cv::Size(3, 2));
    for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 3; ++x) {
            const int corner = 10 * 2 * y + 2 * x;
            // The mean of a block is corner + 5.5, of doubled values 2 corner + 11.
            EXPECT_NEAR(sample.image.at<cv::Vec3b>(y, x)[0], corner + 5.5, 0.51);
            EXPECT_EQ(sample.image.at<cv::Vec3b>(y, x)[1], 2 * corner + 11);
            EXPECT_EQ(sample.labels[0].pixels.at<uint8_t>(y, x), corner);
            EXPECT_EQ(sample.labels[1].pixels.at<cv::Vec3b>(y, x),
                      cv::Vec3b(static_cast<uint8_t>(corner), 0, 255));
            EXPECT_EQ(sample.labels[2].pixels.at<float>(y, x), static_cast<float>(corner) + 0.25f);
        }
}

TEST(ResizedDataset, KeepsTypesIdsAndMissingModalities) {
    const ResizedDataset resized(std::make_shared<Ramp>(), 3, 5);
    const auto sample = resized.get(3);
    EXPECT_EQ(sample.id, "frame 3");
    EXPECT_EQ(sample.image.type(), CV_8UC3);
    EXPECT_EQ(sample.labels[0].pixels.type(), CV_8UC1);
    EXPECT_EQ(sample.labels[2].pixels.type(), CV_32FC1);
    EXPECT_EQ(sample.labels[2].pixels.size(), cv::Size(5, 3));
    EXPECT_TRUE(sample.labels[3].pixels.empty());
}

TEST(ResizedDataset, SpeaksForItsSource) {
    const ResizedDataset resized(std::make_shared<Ramp>(), 3, 5);
    EXPECT_EQ(resized.size(), 5);
    EXPECT_EQ(resized.tasks(), nyuv2_tasks(40));
    EXPECT_EQ(resized.description(), "ramp, resized to 5x3");
}

}  // namespace
}  // namespace mtlprune::resized_dataset_test
