#include "datasets/layouts/adashare.h"

#include <cmath>
#include <limits>

#include "tests/data_folder.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::adashare_test {
namespace {

namespace fs = std::filesystem;

std::string open_error(const TemporaryFolder& folder, const std::string& split = "train") {
    return error_of([&] { AdaShareNyuv2({folder.path(), split}); });
}

std::string get_error(const TemporaryFolder& folder, int64_t index = 0) {
    const AdaShareNyuv2 dataset({folder.path()});
    return error_of([&] { dataset.get(index); });
}

bool equal(const cv::Mat& a, const cv::Mat& b) {
    return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0.0;
}

TEST(AdaShare, ReadsAllModalities) {
    const AdaShareFolder folder(2, 12, 16);
    const AdaShareNyuv2 dataset({folder.path()});
    EXPECT_EQ(dataset.size(), 2);
    EXPECT_EQ(dataset.tasks(), nyuv2_tasks(40));
    const Sample sample = dataset.get(1);
    EXPECT_EQ(sample.id, "img1.png");
    EXPECT_TRUE(equal(sample.image, random_pixels(12, 16, 3, 100)));
    EXPECT_TRUE(equal(sample.labels[0].pixels, random_pixels(12, 16, 1, 101, 40)));
    EXPECT_TRUE(equal(sample.labels[1].pixels, random_pixels(12, 16, 3, 102, 255)));
    EXPECT_TRUE(equal(sample.labels[2].pixels, random_depth(12, 16, 103)));
    EXPECT_EQ(dataset.description(), "NYUv2 (AdaShare layout), split train: 2 frames of 16x12");
    EXPECT_EQ(AdaShareNyuv2({folder.path(), "test"}).size(), 1);
}

TEST(AdaShare, TakesAnEvenlySpacedSubset) {
    const AdaShareFolder folder(7, 2, 2);
    const AdaShareNyuv2 dataset({folder.path(), "train", 40, 3});
    ASSERT_EQ(dataset.size(), 3);
    EXPECT_EQ(dataset.get(0).id, "img0.png");
    EXPECT_EQ(dataset.get(1).id, "img2.png");
    EXPECT_EQ(dataset.get(2).id, "img4.png");
    EXPECT_NE(error_of([&] {
                  AdaShareNyuv2({folder.path(), "train", 40, 8});
              }).find("0..7, found 8"),
              std::string::npos);
}

TEST(AdaShare, RejectsIndicesOutOfRange) {
    const AdaShareFolder folder(2, 2, 2);
    EXPECT_NE(get_error(folder, 2).find("0..1, found 2"), std::string::npos);
    EXPECT_NE(get_error(folder, -1).find("found -1"), std::string::npos);
}

TEST(AdaShare, NamesWhatIsWrongWithTheList) {
    const AdaShareFolder folder(1, 2, 2);
    const auto expect = [&](const nlohmann::json& list, const std::string& part) {
        folder.write_list(list);
        const auto message = open_error(folder);
        EXPECT_NE(message.find("nyu_v2_3task.json"), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
    };
    expect(nlohmann::json::array(), "an object of splits");
    expect({{"trian", {1}}}, "did you mean 'trian'?");
    expect({{"train", nlohmann::json::array()}}, "an empty list");
    expect({{"train", "all"}}, "a list of frames, found \"all\"");
    expect({{"train", {{"a", "b", "c"}}}},
           "train[0]: expected 4 paths [image, segmentation, normals, depth], found 3");
    expect({{"train", {{"a", "b", "c", "d"}, {"a", "b", "c", 4}}}}, "train[1]: expected a path, found 4");
    for (const char* path : {"../a", "b/../../a", "/etc/passwd", "..", ""})
        expect({{"train", {{path, "b", "c", "d"}}}},
               fmt::format("inside the data set's folder, found '{}'", path));
    write_bytes(folder / "nyu_v2_3task.json", std::string(1'000'000, '[') + std::string(1'000'000, ']'));
    EXPECT_NE(open_error(folder).find("found a list of 1"), std::string::npos);
    write_bytes(folder / "nyu_v2_3task.json", "{\"train\": [");
    EXPECT_NE(open_error(folder).find("valid JSON"), std::string::npos);
    fs::remove(folder / "nyu_v2_3task.json");
    EXPECT_NE(open_error(folder).find("No such file"), std::string::npos);
}

TEST(AdaShare, NamesMissingAndTruncatedFiles) {
    const AdaShareFolder folder(1, 12, 16);
    fs::resize_file(folder / "normal0.png", fs::file_size(folder / "normal0.png") - 13);
    const auto truncated = get_error(folder);
    EXPECT_NE(truncated.find((folder / "normal0.png").string()), std::string::npos) << truncated;
    EXPECT_NE(truncated.find("truncated"), std::string::npos) << truncated;
    fs::remove(folder / "seg0.png");
    const auto missing = get_error(folder);
    EXPECT_NE(missing.find((folder / "seg0.png").string()), std::string::npos) << missing;
    EXPECT_NE(missing.find("No such file"), std::string::npos) << missing;
}

TEST(AdaShare, NamesBothFilesOfDifferentSize) {
    const AdaShareFolder folder(1, 12, 16);
    write_bytes(folder / "depth0.npy", npy_of(random_depth(16, 12, 1)));
    const auto message = get_error(folder);
    EXPECT_NE(message.find(fmt::format("{}: expected 16x12 as {} has, found 12x16",
                                       (folder / "depth0.npy").string(), (folder / "img0.png").string())),
              std::string::npos)
        << message;
}

TEST(AdaShare, NamesTheFirstLabelOutOfRange) {
    const AdaShareFolder folder(1, 12, 16);
    cv::Mat labels(12, 16, CV_8UC1, cv::Scalar(39));
    labels.at<uint8_t>(0, 3) = 255;
    cv::imwrite((folder / "seg0.png").string(), labels);
    EXPECT_EQ(AdaShareNyuv2({folder.path()}).get(0).labels[0].pixels.at<uint8_t>(0, 3), 255);
    labels.at<uint8_t>(7, 5) = 40;
    labels.at<uint8_t>(8, 1) = 254;
    cv::imwrite((folder / "seg0.png").string(), labels);
    const auto message = get_error(folder);
    EXPECT_NE(message.find((folder / "seg0.png").string()), std::string::npos) << message;
    EXPECT_NE(message.find("classes 0..39 or 255, found 40 at row 7, column 5"), std::string::npos)
        << message;
    EXPECT_NE(error_of([&] {
                  AdaShareNyuv2({folder.path(), "train", 13}).get(0);
              }).find("found 39 at row 0, column 0"),
              std::string::npos);
}

TEST(AdaShare, NamesTheFirstImpossibleDepth) {
    const AdaShareFolder folder(1, 12, 16);
    const float inf = std::numeric_limits<float>::infinity();
    for (const float wrong : {std::nanf(""), inf, -inf, -0.5f}) {
        cv::Mat depth = random_depth(12, 16, 1);
        depth.at<float>(0, 0) = 0.0f;  // missing is allowed
        depth.at<float>(11, 15) = wrong;
        write_bytes(folder / "depth0.npy", npy_of(depth));
        const auto message = get_error(folder);
        EXPECT_NE(message.find((folder / "depth0.npy").string()), std::string::npos) << message;
        EXPECT_NE(message.find("at row 11, column 15"), std::string::npos) << message;
    }
}

/// Four published frames: $MTLPRUNE_TEST_DATA or its usual place beside the project.
fs::path published_frames() {
    return real_data() / "adashare-samples";
}

TEST(AdaShare, ReadsPublishedFrames) {
    if (!fs::is_directory(published_frames()))
        GTEST_SKIP() << "no real frames in " << published_frames() << " (set MTLPRUNE_TEST_DATA)";
    const TemporaryFolder folder;
    fs::create_directory_symlink(fs::absolute(published_frames()), folder / "frames");
    write_bytes(folder / "nyu_v2_3task.json",
                R"({"test": [["frames/img/0061.png", "frames/seg/0061.png", "frames/normal_mask/0061.png",
                              "frames/depth/0061.npy"]]})");
    const Sample sample = AdaShareNyuv2({folder.path(), "test"}).get(0);
    EXPECT_TRUE(equal(sample.image, cv::imread((folder / "frames/img/0061.png").string())));
    EXPECT_TRUE(
        equal(sample.labels[1].pixels, cv::imread((folder / "frames/normal_mask/0061.png").string())));
    EXPECT_TRUE(equal(sample.labels[0].pixels,
                      cv::imread((folder / "frames/seg/0061.png").string(), cv::IMREAD_UNCHANGED)));
    // Rooms are continuous: read in the wrong order, neighbours in depth would be unrelated.
    cv::Mat step;
    cv::absdiff(sample.labels[2].pixels.colRange(1, sample.labels[2].pixels.cols),
                sample.labels[2].pixels.colRange(0, sample.labels[2].pixels.cols - 1), step);
    EXPECT_LT(cv::mean(step)[0], 0.02);
    EXPECT_GT(cv::mean(sample.labels[2].pixels)[0], 0.5);
    EXPECT_LT(cv::mean(sample.labels[2].pixels)[0], 10.0);
}

}  // namespace
}  // namespace mtlprune::adashare_test
