#include "datasets/packed/packed.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

#include "base/atomic_file.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/layouts/adashare.h"
#include "datasets/packed/packed_writer.h"
#include "datasets/pipeline/resized_dataset.h"
#include "datasets/synthetic/synthetic_rooms.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::packed_test {
namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

bool same(const cv::Mat& a, const cv::Mat& b) {
    if (a.empty() && b.empty()) return true;
    if (a.type() != b.type() || a.size() != b.size()) return false;
    for (int y = 0; y < a.rows; ++y)
        if (std::memcmp(a.ptr(y), b.ptr(y), a.cols * a.elemSize()) != 0) return false;
    return true;
}

/// Labels bit for bit, and the image too when `image`.
void expect_same(const Sample& a, const Sample& b, bool image) {
    EXPECT_EQ(a.id, b.id);
    EXPECT_TRUE(!image || same(a.image, b.image)) << a.id << ": image";
    ASSERT_EQ(a.labels.size(), b.labels.size());
    for (size_t t = 0; t < a.labels.size(); ++t) {
        EXPECT_TRUE(same(a.labels[t].pixels, b.labels[t].pixels)) << a.id << ": task " << t;
        EXPECT_EQ(a.labels[t].class_index, b.labels[t].class_index) << a.id << ": task " << t;
    }
}

/// Frames with every modality that a sample can have, normals as floats.
class Everything : public Dataset {
  public:
    explicit Everything(int64_t count, int64_t odd = -1) : count_(count), odd_(odd) {}
    int64_t size() const override { return count_; }
    Sample get(int64_t index) const override {
        const int width = index == odd_ ? 11 : 10;
        Sample sample;
        sample.id = fmt::format("frame {}", index);
        sample.image = random_pixels(6, width, 3, index);
        cv::Mat normals(6, width, CV_32FC3);
        random_depth(18, width, index + 2).reshape(3, 6).copyTo(normals);
        sample.labels = {{{}, index},
                         {random_pixels(6, width, 1, index + 1, 13)},
                         {normals},
                         {random_depth(6, width, index + 3)},
                         {{}, -1},
                         {random_depth(6, width, index + 4)},
                         {random_depth(6, width, index + 5)},
                         {{}, 7}};
        return sample;
    }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "all kinds of labels"; }

  private:
    int64_t count_, odd_;
    std::vector<TaskSpec> tasks_ = {
        {"number", TaskKind::classification, 1000},
        {"segmentation", TaskKind::segmentation, 13, std::vector<double>(13, 1.5)},
        {"normals", TaskKind::normals, 3},
        {"depth", TaskKind::depth, 1},
        {"indoors", TaskKind::classification, 2},
        {"keypoints", TaskKind::keypoints, 1},
        {"edges", TaskKind::edges, 1},
        {"digit", TaskKind::classification, 10}};
};

std::vector<PackedSplit> everything(int64_t train = 5, int64_t test = 2) {
    return {{"train", std::make_shared<Everything>(train)}, {"test", std::make_shared<Everything>(test)}};
}

class Packed : public testing::Test {
  protected:
    fs::path file() const { return folder_ / "set.h5"; }
    PackedDataset open(const std::string& split = "train", int64_t limit = 0) const {
        return PackedDataset({file(), split, limit});
    }
    size_t files_in_folder() const {
        size_t count = 0;
        for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_.path())) ++count;
        return count;
    }
    TemporaryFolder folder_;
};

TEST_F(Packed, EveryCodecGivesTheLabelsBack) {
    for (const PackedCodec codec : {PackedCodec::jpeg, PackedCodec::png, PackedCodec::raw}) {
        write_packed(everything(), file(), {.codec = codec, .threads = 2});
        for (const auto& [split, count] : {std::pair("train", 5), {"test", 2}}) {
            const PackedDataset packed = open(split);
            const Everything source(count);
            ASSERT_EQ(packed.size(), count);
            EXPECT_EQ(packed.tasks(), source.tasks());
            for (int64_t i = 0; i < count; ++i)
                expect_same(packed.get(i), source.get(i), codec != PackedCodec::jpeg);
            EXPECT_TRUE(contains(packed.description(), "all kinds of labels"));
        }
        EXPECT_EQ(open().metadata()["options"]["codec"], to_string(codec));
    }
}

TEST_F(Packed, CopyKeepsTheFilesOfTheSource) {
    const AdaShareFolder files(3, 8, 12);
    const auto source = std::make_shared<AdaShareNyuv2>(AdaShareOptions{.folder = files.path()});
    write_packed({{"train", source}}, file(), {.codec = PackedCodec::copy});
    const PackedDataset packed = open();
    for (int64_t i = 0; i < 3; ++i) expect_same(packed.get(i), source->get(i), true);
    const std::string content = read_file(file());
    EXPECT_TRUE(contains(content, read_file(files / "img1.png")));
    const auto rooms = std::make_shared<SyntheticRooms>(SyntheticRoomsOptions{.count = 1});
    const auto pack = [&](PackedSplit split, PackedWriterOptions options) {
        options.codec = PackedCodec::copy;
        return error_of([&] { write_packed({split}, folder_ / "other.h5", options); });
    };
    EXPECT_TRUE(contains(pack({"train", rooms}, {}), "PNG or JPEG files"));
    EXPECT_TRUE(contains(pack({"train", source}, {.height = 4, .width = 6}), "source's size"));
    EXPECT_EQ(files_in_folder(), 1u);
}

TEST_F(Packed, ResizesAndLimits) {
    const auto rooms =
        std::make_shared<SyntheticRooms>(SyntheticRoomsOptions{.count = 6, .height = 24, .width = 32});
    write_packed({{"train", rooms}}, file(),
                 {.codec = PackedCodec::raw, .height = 12, .width = 16, .limit = 3});
    const PackedDataset packed = open();
    const ResizedDataset small(rooms, 12, 16);
    ASSERT_EQ(packed.size(), 3);
    for (int64_t i = 0; i < 3; ++i) expect_same(packed.get(i), small.get(2 * i), true);
    const PackedDataset fewer = open("train", 1);
    ASSERT_EQ(fewer.size(), 1);
    expect_same(fewer.get(0), small.get(0), true);
    EXPECT_THROW(open("train", 4), Error);
    EXPECT_THROW(packed.get(3), Error);
    EXPECT_THROW(packed.get(-1), Error);
}

TEST_F(Packed, NormalsCanBeFittedOnReading) {
    const AdaShareFolder files(2, 16, 20);
    const auto source = std::make_shared<AdaShareNyuv2>(AdaShareOptions{.folder = files.path()});
    const CameraIntrinsics camera = {20, 21, 9.5, 8};
    write_packed({{"train", source}}, file(),
                 {.codec = PackedCodec::png, .normals_from_depth = NormalsFromDepth{camera, 2}});
    const Sample read = open().get(1), original = source->get(1);
    EXPECT_TRUE(same(read.labels[2].pixels, original.labels[2].pixels));
    EXPECT_TRUE(same(read.labels[1].pixels,
                     encode_normals(normals_from_depth(original.labels[2].pixels, camera, 2))));
}

TEST_F(Packed, BytesDoNotDependOnThreads) {
    write_packed(everything(30, 3), file(), {.threads = 1});
    const std::string once = read_file(file());
    write_packed(everything(30, 3), file(), {.threads = 3});
    EXPECT_EQ(read_file(file()), once);
}

TEST_F(Packed, ProgressCountsEveryFrame) {
    int64_t last = 0;
    write_packed(everything(9, 2), file(), {.threads = 2, .progress = [&](int64_t done, int64_t total) {
                                                EXPECT_EQ(total, 11);
                                                EXPECT_EQ(done, ++last);
                                            }});
    EXPECT_EQ(last, 11);
}

TEST_F(Packed, FailuresLeaveNothingBehind) {
    const auto fails = [&](const std::vector<PackedSplit>& splits, const PackedWriterOptions& options) {
        const std::string message = error_of([&] { write_packed(splits, file(), options); });
        EXPECT_EQ(files_in_folder(), 0u) << message;
        return message;
    };
    const std::vector<PackedSplit> uneven = {{"train", std::make_shared<Everything>(4, 2)}};
    EXPECT_TRUE(contains(fails(uneven, {.codec = PackedCodec::raw}), "frame 2"));
    EXPECT_TRUE(contains(fails(everything(), {.jpeg_quality = 0}), "jpeg_quality"));
    EXPECT_TRUE(contains(fails(everything(), {.height = 5}), "width"));
    EXPECT_TRUE(contains(fails(everything(), {.limit = 3}), "a limit in 0..2"));
    EXPECT_TRUE(contains(fails({}, {}), "a split"));
    const auto stop = [](int64_t, int64_t) { throw Error("stopped"); };
    EXPECT_EQ(fails(everything(), {.progress = stop}), "stopped");
    EXPECT_THROW(write_packed(everything(), folder_ / "no" / "folder.h5", {}), Error);
    EXPECT_TRUE(contains(error_of([] { packed_codec("jpg"); }), "did you mean 'jpeg'"));
}

TEST_F(Packed, OldFileStaysWhenANewOneFails) {
    write_packed(everything(), file(), {});
    const std::string before = read_file(file());
    const auto stop = [](int64_t, int64_t) { throw Error("stopped"); };
    EXPECT_THROW(write_packed(everything(), file(), {.progress = stop}), Error);
    EXPECT_EQ(read_file(file()), before);
}

TEST_F(Packed, OtherFilesAreRefused) {
    EXPECT_TRUE(contains(error_of([&] { open(); }), "set.h5"));
    write_bytes(file(), "not HDF5");
    EXPECT_TRUE(contains(error_of([&] { open(); }), "set.h5"));
    EXPECT_THROW(PackedDataset({folder_.path()}), Error);
    write_packed(everything(), file(), {});
    EXPECT_TRUE(contains(error_of([&] { open("tests"); }), "did you mean 'test'"));
}

/// Reads everything; true when it is what was packed, false on an Error, which must name the file.
bool survives(const fs::path& path) {
    const Everything source(2);
    try {
        const PackedDataset packed({path, "train"});
        EXPECT_EQ(packed.size(), 2);
        for (int64_t i = 0; i < packed.size(); ++i) expect_same(packed.get(i), source.get(i), true);
        return true;
    } catch (const Error& error) {
        EXPECT_TRUE(contains(error.what(), path.string())) << error.what();
        return false;
    }
}

TEST_F(Packed, EveryTruncationIsFound) {
    for (const PackedCodec codec : {PackedCodec::png, PackedCodec::raw}) {
        write_packed({{"train", std::make_shared<Everything>(2)}}, file(), {.codec = codec});
        const auto size = fs::file_size(file());
        ASSERT_TRUE(survives(file()));
        fs::resize_file(file(), size - 1);
        EXPECT_FALSE(survives(file()));
        for (size_t i = 120; i-- > 0;) {
            fs::resize_file(file(), i * size / 120);
            EXPECT_FALSE(survives(file())) << i;
        }
    }
}

TEST_F(Packed, EveryFlippedBitIsFoundOrHarmless) {
    for (const PackedCodec codec : {PackedCodec::png, PackedCodec::raw}) {
        write_packed({{"train", std::make_shared<Everything>(2)}}, file(), {.codec = codec});
        const auto size = static_cast<int64_t>(fs::file_size(file()));
        int found = 0;
        Random random(3);
        for (int i = 0; i < 250; ++i) {
            // Half of them in the structure at the beginning.
            const auto at =
                static_cast<int64_t>(random.below(i % 2 == 0 ? size : std::min<int64_t>(size, 1500)));
            const auto bit = static_cast<int>(random.below(8));
            flip_bit(file(), at, bit);
            found += survives(file()) ? 0 : 1;
            flip_bit(file(), at, bit);
        }
        EXPECT_GT(found, 100);
        EXPECT_TRUE(survives(file()));
    }
}

TEST_F(Packed, DamageNamesFrameAndModality) {
    write_packed(everything(2, 1), file(), {.codec = PackedCodec::raw});
    std::string bytes = read_file(file());
    const cv::Mat depth = Everything(2).get(1).labels[3].pixels;
    const std::string pattern(reinterpret_cast<const char*>(depth.data), 16);
    const size_t at = bytes.find(pattern);
    ASSERT_NE(at, std::string::npos);
    bytes[at + 5] ^= 1;
    write_bytes(file(), bytes);
    const PackedDataset packed = open();
    EXPECT_NO_THROW(packed.get(0));
    const std::string message = error_of([&] { packed.get(1); });
    EXPECT_TRUE(contains(message, "1 (frame 1): depth")) << message;
}

/// The description in docs/datasets/packed.md, followed by somebody without this program.
TEST_F(Packed, PythonReadsIt) {
    const auto source =
        std::make_shared<SyntheticRooms>(SyntheticRoomsOptions{.count = 2, .height = 16, .width = 24});
    write_packed({{"train", source}}, file(), {.codec = PackedCodec::png});
    const std::string script = std::string(MTLPRUNE_SOURCE_DIR) + "/tests/datasets/read_packed.py";
    const auto command =
        fmt::format("/usr/bin/python3 '{}' '{}' 1 '{}'", script, file().string(), (folder_ / "raw").string());
    const int status = std::system(command.c_str());
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127))
        GTEST_SKIP() << "no h5py, NumPy or OpenCV for /usr/bin/python3";
    ASSERT_EQ(status, 0);
    const Sample sample = source->get(1);
    std::string expected;
    for (const cv::Mat* pixels :
         {&sample.image, &sample.labels[0].pixels, &sample.labels[1].pixels, &sample.labels[2].pixels})
        expected.append(reinterpret_cast<const char*>(pixels->data), pixels->total() * pixels->elemSize());
    EXPECT_EQ(read_file(folder_ / "raw"), expected);
}

}  // namespace
}  // namespace mtlprune::packed_test
