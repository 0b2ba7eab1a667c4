#include "datasets/layouts/nyuv2_mat.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/atomic_file.h"
#include "datasets/layouts/adashare.h"
#include "tests/data_folder.h"
#include "tests/datasets/matlab_files.h"

namespace mtlprune::nyuv2_mat_test {
namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A folder with the file, splits.mat and class13Mapping-like files left to the test.
class MatFolder : public TemporaryFolder {
  public:
    explicit MatFolder(const MatFixture& fixture = {}) {
        fixture.write(file());
        add_matlab_doubles(*this / "splits.mat", "trainNdxs", {3, 1});
        add_matlab_doubles(*this / "splits.mat", "testNdxs", {2});
    }
    fs::path file() const { return *this / "nyu_depth_v2_labeled.mat"; }
    Nyuv2Mat open(const std::string& split = "train", int64_t limit = 0) const {
        return Nyuv2Mat({.folder = path(), .split = split, .limit = limit, .normals_radius = 1});
    }
};

cv::Mat classes_of(const cv::Mat& labels) {
    cv::Mat classes = labels - 1;  // saturates: 0 stays 0
    classes.setTo(255, labels == 0);
    return classes;
}

TEST(Nyuv2Mat, ReadsTransposedFramesOfTheSplit) {
    MatFixture fixture;
    for (const bool compressed : {true, false}) {
        fixture.compressed = compressed;
        const MatFolder folder(fixture);
        const Nyuv2Mat train = folder.open();
        ASSERT_EQ(train.size(), 2);
        const int expected[] = {2, 0};
        for (int i = 0; i < 2; ++i) {
            const Sample sample = train.get(i);
            const int k = expected[i];
            EXPECT_EQ(sample.id, fmt::format("frame {}", k + 1));
            ASSERT_EQ(sample.image.size(), cv::Size(9, 7));
            EXPECT_EQ(cv::norm(sample.image, fixture.image(k), cv::NORM_INF), 0);
            EXPECT_EQ(cv::norm(sample.labels[2].pixels, fixture.depth(k), cv::NORM_INF), 0);
            EXPECT_EQ(cv::norm(sample.labels[0].pixels, classes_of(fixture.labels(k)), cv::NORM_INF), 0);
            EXPECT_EQ(sample.labels[1].pixels.type(), CV_8UC3);
            cv::Mat raw;
            fixture.labels(k).convertTo(raw, CV_16U);
            EXPECT_EQ(cv::norm(train.raw_labels(i), raw, cv::NORM_INF), 0);
        }
        EXPECT_EQ(folder.open("test").get(0).id, "frame 2");
        EXPECT_EQ(folder.open("all").size(), 3);
        EXPECT_EQ(folder.open("all", 1).size(), 1);
        EXPECT_EQ(train.class_names().at(39), "class40");
    }
}

TEST(Nyuv2Mat, MapsTheFilesOwnClassesTo40) {
    MatFixture fixture;
    fixture.names = 50;
    const MatFolder folder(fixture);
    std::vector<double> mapping(50);
    for (int i = 0; i < 50; ++i) mapping[i] = 40 - i % 40;
    add_matlab_doubles(folder / "classMapping40.mat", "mapClass", mapping);
    const cv::Mat labels = fixture.labels(2), classes = folder.open().get(0).labels[0].pixels;
    for (int y = 0; y < labels.rows; ++y)
        for (int x = 0; x < labels.cols; ++x) {
            const int label = labels.at<uint8_t>(y, x);
            EXPECT_EQ(classes.at<uint8_t>(y, x), label == 0 ? 255 : 40 - label);
        }
}

TEST(Nyuv2Mat, ThreadsReadTheSame) {
    const MatFixture fixture;
    const MatFolder folder(fixture);
    const Nyuv2Mat all = folder.open("all");
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 60; ++i)
                wrong[t] +=
                    cv::norm(all.get(i % 3).labels[2].pixels, fixture.depth(i % 3), cv::NORM_INF) != 0;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Nyuv2Mat, BadInputIsNamed) {
    MatFolder folder;
    const auto error = [&](const Nyuv2MatOptions& options) { return error_of([&] { Nyuv2Mat{options}; }); };
    const fs::path path = folder.path();
    EXPECT_TRUE(contains(error({.folder = path / "missing"}), "missing"));
    EXPECT_TRUE(contains(error({.folder = path, .split = "trian"}), "did you mean 'train'"));
    EXPECT_TRUE(contains(error({.folder = path, .classes = 21}), "40 or 13"));
    EXPECT_TRUE(contains(error({.folder = path, .classes = 13}), "class13Mapping.mat"));
    EXPECT_TRUE(contains(error({.folder = path, .limit = 3}), "a limit in 0..2"));
    EXPECT_THROW(folder.open().get(2), Error);
    fs::remove(folder / "splits.mat");
    EXPECT_TRUE(contains(error({.folder = path}), "splits.mat"));
    add_matlab_doubles(folder / "splits.mat", "trainNdxs", {1, 4});
    EXPECT_TRUE(contains(error({.folder = path}), "trainNdxs(2)")) << error({.folder = path});
    MatFixture fixture;
    fixture.names = 39;
    fixture.write(folder.file());
    EXPECT_TRUE(contains(error({.folder = path, .split = "all"}), "classMapping40.mat"));
    fixture.names = 40;
    fixture.label_type = H5T_STD_U32LE;
    fixture.write(folder.file());
    EXPECT_TRUE(contains(error({.folder = path}), "/labels")) << error({.folder = path});
}

TEST(Nyuv2Mat, LabelsBeyondTheNamesAreNamedWithTheirPlace) {
    MatFixture fixture;
    fixture.names = 20;
    const MatFolder folder(fixture);
    add_matlab_doubles(folder / "classMapping40.mat", "mapClass", std::vector<double>(20, 1));
    const auto message = error_of([&] { folder.open().get(0); });
    EXPECT_TRUE(contains(message, "frame 3: labels")) << message;
    EXPECT_TRUE(contains(message, "row")) << message;
}

TEST(Nyuv2Mat, DamagedFilesAreErrorsOrHarmless) {
    const MatFolder folder;
    const auto size = static_cast<int64_t>(fs::file_size(folder.file()));
    const auto readable = [&] {
        try {
            const Nyuv2Mat all = folder.open("all");
            for (int64_t i = 0; i < all.size(); ++i) all.get(i);
            return true;
        } catch (const Error& error) {
            EXPECT_TRUE(contains(error.what(), folder.path().string())) << error.what();
            return false;
        }
    };
    EXPECT_TRUE(readable());
    Random random(1);
    for (int i = 0; i < 300; ++i) {
        const auto at = static_cast<int64_t>(random.below(size));
        const auto bit = static_cast<int>(random.below(8));
        flip_bit(folder.file(), at, bit);
        readable();
        flip_bit(folder.file(), at, bit);
    }
    EXPECT_TRUE(readable());
    for (int64_t i = 99; i >= 0; --i) {
        fs::resize_file(folder.file(), i * size / 100);
        EXPECT_FALSE(readable()) << i;
    }
}

/// The same real frames in this and in the AdaShare layout.
TEST(Nyuv2Mat, AgreesWithTheAdaShareLayoutOnRealFrames) {
    const auto data = real_data() / "nyuv2";
    if (!fs::exists(data / "prepare.py")) GTEST_SKIP() << "no " << data;
    const TemporaryFolder folder;
    const auto prepare = [&](const std::string& arguments) {
        return std::system(fmt::format("/usr/bin/python3 '{}' {} --train 2 --test 1 > '{}' 2>&1",
                                       (data / "prepare.py").string(), arguments, (folder / "log").string())
                               .c_str());
    };
    if (prepare(fmt::format("'{}' --layout mat", (folder / "real.mat").string())) != 0)
        GTEST_SKIP() << "prepare.py needs NumPy, OpenCV and h5py: " << read_file(folder / "log");
    ASSERT_EQ(prepare(fmt::format("'{}' --layout adashare", (folder / "files").string())), 0);
    const auto ids = nlohmann::json::parse(read_file(folder / "real.mat.frames.json"));
    fs::copy_file(data / "class13Mapping.mat", folder / "class13Mapping.mat");
    const Nyuv2Mat mat({.folder = folder / "real.mat", .split = "all"}),
        coarse({.folder = folder / "real.mat", .split = "all", .classes = 13});
    const auto to_13 = {11, 4, 5, 0, 3, 8, 9, 11, 12, 5, 7, 5, 12, 9, 5, 12, 5, 6, 6, 4};  // of classes 0..19
    int64_t compared = 0;
    for (const std::string split : {"train", "test"}) {
        const AdaShareNyuv2 files({.folder = folder / "files", .split = split});
        for (int64_t i = 0; i < files.size(); ++i) {
            const auto& frames = ids["frames"];
            const auto at = std::find(frames.begin(), frames.end(), ids["split"][split][i]) - frames.begin();
            const Sample a = mat.get(at), b = files.get(i);
            EXPECT_EQ(cv::norm(a.image, b.image, cv::NORM_INF), 0);
            EXPECT_EQ(cv::norm(a.labels[0].pixels, b.labels[0].pixels, cv::NORM_INF), 0);
            EXPECT_EQ(cv::norm(a.labels[2].pixels, b.labels[2].pixels, cv::NORM_INF), 0);
            EXPECT_LE(cv::norm(a.labels[1].pixels, b.labels[1].pixels, cv::NORM_INF),
                      1);  // rounding of codes
            const cv::Mat classes = coarse.get(at).labels[0].pixels;
            for (size_t c = 0; c < to_13.size(); ++c)
                EXPECT_EQ(cv::countNonZero((a.labels[0].pixels == c) & (classes != to_13.begin()[c])), 0)
                    << c;
            ++compared;
        }
    }
    EXPECT_EQ(compared, 3);
}

}  // namespace
}  // namespace mtlprune::nyuv2_mat_test
