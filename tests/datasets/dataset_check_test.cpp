#include "datasets/inspect/dataset_check.h"

#include <gtest/gtest.h>

#include "datasets/layouts/adashare.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::dataset_check_test {
namespace {

std::vector<FrameProblem> check(const AdaShareFolder& folder, int threads) {
    DatasetCheckOptions options;
    options.threads = threads;
    return check_dataset(AdaShareNyuv2({folder.path()}), options);
}

TEST(DatasetCheck, FindsNothingInASoundFolder) {
    const AdaShareFolder folder(3, 4, 5);
    int64_t calls = 0, last = 0;
    DatasetCheckOptions options;
    options.threads = 2;
    options.progress = [&](int64_t done, int64_t total) {
        ++calls;
        EXPECT_EQ(done, ++last);
        EXPECT_EQ(total, 3);
    };
    EXPECT_TRUE(check_dataset(AdaShareNyuv2({folder.path()}), options).empty());
    EXPECT_EQ(calls, 3);
}

TEST(DatasetCheck, FindsEveryDamagedFileOfEveryFrame) {
    const AdaShareFolder folder(5, 4, 5);
    std::filesystem::remove(folder / "img1.png");
    std::filesystem::remove(folder / "depth1.npy");
    write_bytes(folder / "normal3.png", "not a picture");
    cv::imwrite((folder / "seg3.png").string(), cv::Mat(4, 5, CV_8UC1, cv::Scalar(40)));
    cv::imwrite((folder / "normal4.png").string(), cv::Mat(5, 4, CV_8UC3, cv::Scalar::all(9)));
    const std::pair<int64_t, std::pair<std::string, std::string>> expected[] = {
        {1, {"img1.png", "cannot read"}},      {1, {"depth1.npy", "cannot read"}},
        {3, {"seg3.png", "expected classes"}}, {3, {"normal3.png", "expected a PNG or JPEG file"}},
        {4, {"normal4.png", "expected 5x4"}},
    };
    for (const int threads : {1, 4}) {
        const auto problems = check(folder, threads);
        ASSERT_EQ(problems.size(), std::size(expected));
        for (size_t i = 0; i < problems.size(); ++i) {
            const auto& [index, words] = expected[i];
            EXPECT_EQ(problems[i].index, index);
            EXPECT_EQ(problems[i].frame, fmt::format("img{}.png", index));
            EXPECT_EQ(problems[i].file, (folder / words.first).string());
            EXPECT_EQ(problems[i].problem.find(words.second), 0u) << problems[i].problem;
        }
    }
}

/// A frame of every kind of task.
Sample sound() {
    Sample sample;
    sample.id = "frame";
    sample.image = random_pixels(3, 4, 3, 1);
    sample.labels = {{{}, 1},
                     {random_pixels(3, 4, 1, 2, 5)},
                     {random_pixels(3, 4, 3, 3, 200)},
                     {random_depth(3, 4, 4)},
                     {random_depth(3, 4, 5) / 10},
                     {random_depth(3, 4, 6) / 10},
                     {{}, 4}};
    return sample;
}

const std::vector<TaskSpec> kTasks = {
    {"binary", TaskKind::classification, 2}, {"segmentation", TaskKind::segmentation, 5},
    {"normals", TaskKind::normals, 3},       {"depth", TaskKind::depth, 1},
    {"keypoints", TaskKind::keypoints, 1},   {"edges", TaskKind::edges, 1},
    {"digit", TaskKind::classification, 10}};

TEST(SampleProblems, NamesEachTaskThatBreaksTheContract) {
    EXPECT_TRUE(sample_problems(sound(), kTasks).empty());
    const auto expect = [](const auto& change, const std::string& part) {
        Sample sample = sound();
        change(sample);
        const auto problems = sample_problems(sample, kTasks);
        ASSERT_EQ(problems.size(), 1u) << part;
        const std::string message = problems[0].what();
        EXPECT_NE(message.find("frame"), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
    };
    enum { binary, segmentation, normals, depth, keypoints, edges, digit };
    expect([](Sample& s) { s.labels[segmentation] = {}; }, "labels of task segmentation, found none");
    expect([](Sample& s) { s.labels[segmentation].pixels.at<uint8_t>(1, 2) = 5; },
           "classes 0..4 or 255, found 5");
    expect([](Sample& s) { s.labels[depth].pixels = random_depth(4, 3, 1); }, "task depth");
    expect([](Sample& s) { s.labels[depth].pixels.at<float>(0, 0) = -1; }, "not negative");
    expect([](Sample& s) { s.labels[normals] = s.labels[segmentation]; }, "task normals");
    expect([](Sample& s) { s.labels[keypoints].pixels.at<float>(0, 0) = 1.5f; },
           "keypoints: expected values in 0..1");
    expect([](Sample& s) { s.labels[edges].pixels.at<float>(2, 3) = NAN; }, "edges: expected values in 0..1");
    expect([](Sample& s) { s.labels[digit].class_index = 10; },
           "digit: expected a class in 0..9 or -1, found 10");
    expect([](Sample& s) { s.labels[binary].class_index = 2; },
           "binary: expected a class in 0..1 or -1, found 2");
    expect([](Sample& s) { s.labels[digit] = {}; }, "a class of task digit");
    expect([](Sample& s) { s.labels.pop_back(); }, "7 labels, one for each task, found 6");
    Sample two = sound();
    for (const size_t task : {binary, depth, digit}) two.labels[task] = {};
    EXPECT_EQ(sample_problems(two, kTasks).size(), 3u);
}

}  // namespace
}  // namespace mtlprune::dataset_check_test
