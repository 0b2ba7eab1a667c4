// Classes of images on their way from samples to batches and contact sheets.
#include <gtest/gtest.h>

#include "datasets/inspect/contact_sheet.h"
#include "datasets/pipeline/loader.h"
#include "datasets/pipeline/transform.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::classification_test {
namespace {

const std::vector<TaskSpec> kTasks = {{"digit", TaskKind::classification, 10},
                                      {"segmentation", TaskKind::segmentation, 3},
                                      {"colour", TaskKind::classification, 4}};

Sample sample_of(int64_t digit, int64_t colour) {
    Sample sample;
    sample.id = "frame 5";
    sample.image = random_pixels(6, 8, 3, 1);
    sample.labels = {{{}, digit}, {random_pixels(6, 8, 1, 2, 3)}, {{}, colour}};
    return sample;
}

TransformOptions small() {
    TransformOptions options;
    options.height = 6;
    options.width = 8;
    return options;
}

TEST(Classification, KeepsTheOrderOfTheClassificationTasks) {
    const auto batch = allocate_batch(2, kTasks, small());
    ASSERT_EQ(batch.targets[0].value.sizes().vec(), std::vector<int64_t>{2});
    ASSERT_EQ(batch.targets[0].mask.sizes().vec(), std::vector<int64_t>{2});
    Batch filled = batch;
    transform_into(filled, 0, sample_of(7, 3), kTasks, small(), {});
    transform_into(filled, 1, sample_of(-1, 0), kTasks, small(), {});
    EXPECT_TRUE(filled.targets[0].value.equal(torch::tensor({7, 0}, torch::kInt64)));
    EXPECT_TRUE(filled.targets[0].mask.equal(torch::tensor({1, 0}).to(torch::kBool)));
    EXPECT_TRUE(filled.targets[2].value.equal(torch::tensor({3, 0}, torch::kInt64)));
    EXPECT_TRUE(filled.targets[2].mask.all().item<bool>());
    EXPECT_EQ(filled.targets[1].value.sizes().vec(), (std::vector<int64_t>{2, 6, 8}));
}

TEST(Classification, NamesSampleAndTaskOfAMissingOrWrongClass) {
    const auto message = [&](int64_t digit, int64_t colour) {
        return error_of([&] { transform_sample(sample_of(digit, colour), kTasks, small(), {}); });
    };
    EXPECT_NE(message(7, kNoClass).find("frame 5: expected a class of task colour, found none"),
              std::string::npos);
    EXPECT_NE(message(7, 4).find("frame 5: colour: expected a class in 0..3 or -1, found 4"),
              std::string::npos);
    EXPECT_NE(message(-2, 0).find("digit"), std::string::npos);
    Sample two = sample_of(7, 3);
    two.labels.pop_back();
    EXPECT_NE(error_of([&] {
                  transform_sample(two, kTasks, small(), {});
              }).find("frame 5: expected 3 labels, one for each task, found 2"),
              std::string::npos);
}

TEST(Classification, IsTheSameInASingleSample) {
    const auto single = transform_sample(sample_of(7, -1), kTasks, small(), {});
    EXPECT_EQ(single.targets[0].value.dim(), 0);
    EXPECT_EQ(single.targets[0].value.item<int64_t>(), 7);
    EXPECT_FALSE(single.targets[2].mask.item<bool>());
}

TEST(Classification, GetsATileInContactSheets) {
    std::vector<Sample> samples = {sample_of(7, 3)};
    samples[0].labels.resize(1);
    const std::vector<TaskSpec> tasks = {kTasks[0]};
    const auto plain = contact_sheet(samples, tasks);
    const auto with = [&](int guess) {
        const std::vector<std::vector<Label>> predictions = {{Label{{}, guess}}};
        return contact_sheet(samples, tasks, &predictions);
    };
    const auto right = with(7), wrong = with(1);
    EXPECT_GT(right.cols, plain.cols);
    // The corner of the last tile shows its background.
    const auto corner = [](const cv::Mat& sheet) { return sheet.at<cv::Vec3b>(50, sheet.cols - 12); };
    EXPECT_GT(corner(right)[1], corner(right)[2]) << "a right prediction is green";
    EXPECT_GT(corner(wrong)[2], corner(wrong)[1]) << "a wrong prediction is red";
    const std::vector<std::vector<Label>> map = {{Label{cv::Mat(2, 2, CV_8UC1, cv::Scalar(1))}}};
    EXPECT_NE(error_of([&] { contact_sheet(samples, tasks, &map); }).find("digit: expected a class"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::classification_test
