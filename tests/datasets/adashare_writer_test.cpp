#include "datasets/layouts/adashare_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "datasets/codecs/npy_writer.h"
#include "datasets/layouts/adashare.h"

namespace mtlprune::adashare_writer_test {
namespace {

namespace fs = std::filesystem;

/// Small frames with every value different; frame `damaged` lacks its depth.
class Frames : public Dataset {
  public:
    Frames(int64_t count, int first, int64_t damaged = -1)
        : count_(count), first_(first), damaged_(damaged) {}
    int64_t size() const override { return count_; }
    Sample get(int64_t index) const override {
        const int base = first_ + static_cast<int>(index);
        Sample sample;
        sample.id = "frame " + std::to_string(base);
        sample.image = cv::Mat(3, 4, CV_8UC3, cv::Scalar(base, base + 1, base + 2));
        sample.labels.resize(3);
        sample.labels[0].pixels = cv::Mat(3, 4, CV_8UC1, cv::Scalar(base % 40));
        sample.labels[0].pixels.at<uint8_t>(0, 0) = 255;
        sample.labels[1].pixels = cv::Mat(3, 4, CV_8UC3, cv::Scalar(100, 20, 200 + base % 50));
        if (index == damaged_) return sample;
        sample.labels[2].pixels = cv::Mat(3, 4, CV_32FC1);
        for (int i = 0; i < 12; ++i)
            sample.labels[2].pixels.ptr<float>()[i] = 1.0f + 0.1f * static_cast<float>(base + i);
        return sample;
    }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "test frames"; }

  private:
    int64_t count_;
    int first_;
    int64_t damaged_;
    std::vector<TaskSpec> tasks_ = nyuv2_tasks(40);
};

class AdaShareWriter : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "adashare_writer_XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { fs::remove_all(folder_); }
    fs::path list() const { return folder_ / "nyu_v2_3task.json"; }
    fs::path folder_;
};

float float_at(const std::string& bytes, size_t offset) {
    float value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

TEST(NpyWriter, WritesTheDocumentedHeader) {
    const cv::Mat matrix = (cv::Mat_<float>(2, 3) << 1, 2, 3, 4, 5, 6);
    const std::string bytes = encode_npy_f32(matrix, true);
    ASSERT_EQ(bytes.size(), 128u + 24u);
    EXPECT_EQ(bytes.substr(0, 6), "\x93NUMPY");
    EXPECT_EQ(bytes[6], 1);
    EXPECT_EQ(bytes[7], 0);
    EXPECT_EQ(static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]), 118);
    const std::string dictionary = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
    EXPECT_EQ(bytes.substr(10, dictionary.size()), dictionary);
    EXPECT_EQ(bytes.substr(10 + dictionary.size(), 117 - dictionary.size()),
              std::string(117 - dictionary.size(), ' '));
    EXPECT_EQ(bytes[127], '\n');
}

TEST(NpyWriter, OrdersByColumnsOrRows) {
    cv::Mat wide = (cv::Mat_<float>(2, 4) << 1, 2, 3, -1, 4, 5, 6, -1);
    const cv::Mat matrix = wide.colRange(0, 3);  // not continuous
    const std::string columns = encode_npy_f32(matrix, true), rows = encode_npy_f32(matrix, false);
    const float by_column[] = {1, 4, 2, 5, 3, 6}, by_row[] = {1, 2, 3, 4, 5, 6};
    ASSERT_EQ(rows.size(), columns.size());
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(float_at(columns, 128 + 4 * i), by_column[i]);
        EXPECT_EQ(float_at(rows, 128 + 4 * i), by_row[i]);
    }
    EXPECT_NE(rows.find("'fortran_order': False"), std::string::npos);
}

TEST(NpyWriter, RejectsOtherTypes) {
    EXPECT_THROW(encode_npy_f32(cv::Mat(2, 2, CV_64FC1), true), Error);
    EXPECT_THROW(encode_npy_f32(cv::Mat(), true), Error);
}

TEST_F(AdaShareWriter, WritesFilesAndList) {
    std::set<int64_t> reported;
    const Frames train(3, 10), test(2, 60);
    const fs::path set = folder_ / "new" / "set";
    write_adashare(train, test, set, {.threads = 2, .progress = [&](int64_t done, int64_t total) {
                                          EXPECT_EQ(total, 5);
                                          EXPECT_TRUE(reported.insert(done).second);
                                      }});
    EXPECT_EQ(reported, (std::set<int64_t>{1, 2, 3, 4, 5}));
    const nlohmann::json json = nlohmann::json::parse(read_file(set / "nyu_v2_3task.json"));
    const nlohmann::json expected = {
        {"img/0003.png", "seg/0003.png", "normal_mask/0003.png", "depth/0003.npy"},
        {"img/0004.png", "seg/0004.png", "normal_mask/0004.png", "depth/0004.npy"}};
    EXPECT_EQ(json.at("train").size(), 3u);
    EXPECT_EQ(json.at("test"), expected);
    const Sample sample = test.get(1);
    EXPECT_EQ(cv::norm(cv::imread(set / "img/0004.png"), sample.image, cv::NORM_INF), 0.0);
    EXPECT_EQ(cv::norm(cv::imread(set / "seg/0004.png", cv::IMREAD_UNCHANGED), sample.labels[0].pixels,
                       cv::NORM_INF),
              0.0);
    EXPECT_EQ(cv::norm(cv::imread(set / "normal_mask/0004.png"), sample.labels[1].pixels, cv::NORM_INF), 0.0);
    EXPECT_EQ(read_file(set / "depth/0004.npy"), encode_npy_f32(sample.labels[2].pixels, true));
}

TEST_F(AdaShareWriter, ReaderGivesTheSamplesBack) {
    const Frames train(2, 0), test(1, 30);
    write_adashare(train, test, folder_);
    const AdaShareNyuv2 read({.folder = folder_, .split = "train", .classes = 40});
    ASSERT_EQ(read.size(), 2);
    for (int i = 0; i < 2; ++i) {
        const Sample was = train.get(i), is = read.get(i);
        EXPECT_EQ(cv::norm(was.image, is.image, cv::NORM_INF), 0.0);
        EXPECT_EQ(cv::norm(was.labels[0].pixels, is.labels[0].pixels, cv::NORM_INF), 0.0);
        EXPECT_EQ(cv::norm(was.labels[1].pixels, is.labels[1].pixels, cv::NORM_INF), 0.0);
        EXPECT_EQ(cv::norm(was.labels[2].pixels, is.labels[2].pixels, cv::NORM_INF), 0.0);
    }
}

/// One frame with vectors for normals.
class VectorFrame : public Frames {
  public:
    VectorFrame() : Frames(1, 0) {}
    Sample get(int64_t index) const override {
        Sample sample = Frames::get(index);
        sample.labels[1].pixels = cv::Mat(3, 4, CV_32FC3, cv::Scalar(0, -0.28, -0.96));
        sample.labels[1].pixels.at<cv::Vec3f>(1, 2) = {};
        return sample;
    }
};

TEST_F(AdaShareWriter, QuantisesVectors) {
    write_adashare(VectorFrame(), Frames(1, 5), folder_);
    const cv::Mat codes = AdaShareNyuv2({.folder = folder_, .split = "train"}).get(0).labels[1].pixels;
    // Up 0.28, forward -0.96, right 0: round((n + 1) * 127.5).
    EXPECT_EQ(codes.at<cv::Vec3b>(0, 0), cv::Vec3b(163, 5, 128));
    EXPECT_EQ(codes.at<cv::Vec3b>(1, 2), cv::Vec3b(255, 255, 255));
}

TEST_F(AdaShareWriter, FailureNamesTheFrameAndLeavesNoList) {
    write_adashare(Frames(2, 0), Frames(1, 0), folder_);
    ASSERT_TRUE(fs::exists(list()));
    try {
        write_adashare(Frames(3, 7, 1), Frames(1, 0), folder_, {.threads = 2});
        FAIL() << "a frame without depth was accepted";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("frame 8: depth"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(list()));
}

TEST_F(AdaShareWriter, FailureNamesTheFileThatCannotBeWritten) {
    fs::create_directories(folder_ / "depth" / "0001.npy" / "in the way");
    try {
        write_adashare(Frames(2, 0), Frames(1, 0), folder_);
        FAIL() << "a folder was overwritten";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("depth/0001.npy"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(list()));
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
        EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << entry.path();
}

TEST_F(AdaShareWriter, ExceptionInProgressStopsTheWrite) {
    const auto stop = [](int64_t, int64_t) { throw Error("stopped"); };
    EXPECT_THROW(write_adashare(Frames(4, 0), Frames(4, 0), folder_, {.threads = 2, .progress = stop}),
                 Error);
    EXPECT_FALSE(fs::exists(list()));
}

}  // namespace
}  // namespace mtlprune::adashare_writer_test
