#include "datasets/layouts/idx.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <memory>

#include "datasets/codecs/gzip.h"
#include "datasets/pipeline/loader.h"
#include "tests/bad_input.h"
#include "tests/data_folder.h"
#include "tests/temporary_folder.h"

namespace mtlprune::idx_test {
namespace {

std::string big_endian(uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
            static_cast<char>(value)};
}

std::string idx_bytes(const std::vector<uint32_t>& shape, const std::string& values, char type = 8) {
    std::string bytes = {0, 0, type, static_cast<char>(shape.size())};
    for (const uint32_t length : shape) bytes += big_endian(length);
    return bytes + values;
}

std::string gzip(const std::string& content) {
    const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
        libdeflate_alloc_compressor(6), libdeflate_free_compressor);
    std::string bytes(libdeflate_gzip_compress_bound(compressor.get(), content.size()), '\0');
    bytes.resize(libdeflate_gzip_compress(compressor.get(), content.data(), content.size(), bytes.data(),
                                          bytes.size()));
    return bytes;
}

/// Pixel (y, x) of image i is 20 i + 4 y + x; its label is i.
std::string images(int count) {
    std::string values;
    for (int i = 0; i < count; ++i)
        for (int p = 0; p < 12; ++p) values += static_cast<char>(20 * i + p);
    return idx_bytes({static_cast<uint32_t>(count), 3, 4}, values);
}

std::string labels(int count) {
    std::string values;
    for (int i = 0; i < count; ++i) values += static_cast<char>(i);
    return idx_bytes({static_cast<uint32_t>(count)}, values);
}

class Idx : public testing::Test {
  protected:
    Idx() {
        write("images", images(5));
        write("labels", labels(5));
    }
    void write(const std::string& content, const std::string& bytes) const {
        write_bytes(folder / name(content), bytes);
    }
    static std::string name(const std::string& content) {
        return "train-" + content + (content == "images" ? "-idx3-ubyte" : "-idx1-ubyte");
    }
    IdxOptions options() const { return {folder.path()}; }
    /// The message about damaged `bytes`; names the file.
    void expect_error(const std::string& content, const std::string& bytes, const std::string& part) const {
        write(content, bytes);
        const auto message = error_of([&] { IdxImages{options()}; });
        EXPECT_NE(message.find(name(content)), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
        write("images", images(5));
        write("labels", labels(5));
    }
    TemporaryFolder folder;
};

TEST_F(Idx, ReadsPlainAndCompressedFilesAlike) {
    write_bytes(folder / "t10k-images.idx3-ubyte.gz", gzip(images(5)));
    write_bytes(folder / "t10k-labels-idx1-ubyte.gz", gzip(labels(5)));
    auto other = options();
    other.split = "test";
    const IdxImages plain(options()), compressed(other);
    ASSERT_EQ(plain.size(), 5);
    ASSERT_EQ(compressed.size(), 5);
    for (int i = 0; i < 5; ++i) {
        const Sample sample = plain.get(i);
        ASSERT_EQ(sample.image.type(), CV_8UC3);
        ASSERT_EQ(sample.image.size(), cv::Size(4, 3));
        for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 4; ++x)
                EXPECT_EQ(sample.image.at<cv::Vec3b>(y, x),
                          cv::Vec3b::all(static_cast<uint8_t>(20 * i + 4 * y + x)));
        ASSERT_EQ(sample.labels.size(), 1u);
        EXPECT_EQ(sample.labels[0].class_index, i);
        EXPECT_EQ(cv::norm(sample.image, compressed.get(i).image, cv::NORM_INF), 0);
    }
    EXPECT_EQ(plain.get(3).id, "train-images-idx3-ubyte[3]");
    EXPECT_EQ(plain.id(3), plain.get(3).id);
}

TEST_F(Idx, HasOneTaskNamedByTheFolderOrTheOption) {
    auto chosen = options();
    const std::vector<TaskSpec> by_folder = {
        {folder.path().filename().string(), TaskKind::classification, 10}};
    EXPECT_EQ(IdxImages(chosen).tasks(), by_folder);
    chosen.folder += "/";
    EXPECT_EQ(IdxImages(chosen).tasks(), by_folder);
    chosen.task = "letters";
    chosen.classes = 26;
    EXPECT_EQ(IdxImages(chosen).tasks(), (std::vector<TaskSpec>{{"letters", TaskKind::classification, 26}}));
}

TEST_F(Idx, TakesAnEvenlySpacedSubset) {
    auto some = options();
    some.limit = 2;
    const IdxImages dataset(some);
    ASSERT_EQ(dataset.size(), 2);
    EXPECT_EQ(dataset.get(1).labels[0].class_index, 2);
    for (const int64_t limit : {-1, 6}) {
        some.limit = limit;
        EXPECT_NE(error_of([&] { IdxImages{some}; }).find("0..5"), std::string::npos);
    }
    EXPECT_NE(error_of([&] { dataset.get(2); }).find("0..1, found 2"), std::string::npos);
    EXPECT_THROW(dataset.get(-1), Error);
}

TEST_F(Idx, FeedsTheLoader) {
    LoaderOptions loading;
    loading.batch_size = 5;
    loading.transform.height = 3;
    loading.transform.width = 4;
    Loader loader(std::make_shared<IdxImages>(options()), loading);
    const Batch batch = loader.next();
    ASSERT_EQ(batch.targets[0].value.sizes().vec(), std::vector<int64_t>{5});
    EXPECT_EQ(batch.targets[0].value.scalar_type(), torch::kInt64);
    EXPECT_TRUE(batch.targets[0].mask.all().item<bool>());
    for (int i = 0; i < 5; ++i) EXPECT_EQ(batch.targets[0].value[i].item<int64_t>(), batch.indices[i]);
}

TEST_F(Idx, RefusesEveryTruncation) {
    const auto bytes_of = [](const std::string& text) {
        return std::vector<uint8_t>(text.begin(), text.end());
    };
    const std::string whole = images(5), compressed = gzip(whole);
    for (size_t length = 0; length < whole.size(); ++length)
        EXPECT_THROW(parse_idx(bytes_of(whole.substr(0, length)), 3, "images"), Error) << length;
    EXPECT_EQ(gunzip(bytes_of(compressed), "images"), bytes_of(whole));
    for (size_t length = 0; length < compressed.size(); ++length)
        EXPECT_THROW(gunzip(bytes_of(compressed.substr(0, length)), "images"), Error) << length;
    for (const size_t length : {size_t{0}, size_t{3}, size_t{15}, size_t{16}, whole.size() - 1})
        expect_error("images", whole.substr(0, length), "expected");
    for (const size_t length : {size_t{1}, size_t{10}, compressed.size() - 8, compressed.size() - 1})
        expect_error("images", compressed.substr(0, length), "expected");
    expect_error("images", whole + "x", "bytes behind the header");
    expect_error("images", compressed + "x", "expected");
}

TEST_F(Idx, NamesWhatIsWrongWithAFile) {
    const std::string twelve(12, 'a');
    expect_error("images", idx_bytes({1, 3, 4}, twelve, 0x0d), "type 08 (unsigned byte), found type 0d");
    expect_error("images", idx_bytes({12}, twelve), "3 dimension(s), found 1");
    expect_error("images", "PK" + twelve, "two zero bytes");
    expect_error("images", idx_bytes({1, 0, 4}, ""), "1 or more, found 0");
    expect_error("images", idx_bytes({0xffffffff, 0xffffffff, 0xffffffff}, twelve),
                 "4294967295 x 4294967295 x 4294967295 values, found 12 bytes");
    expect_error("images", idx_bytes({1, 1, 5000}, std::string(5000, 'a')), "sides in 1..4096, found 5000x1");
    expect_error("labels", labels(4), "5 labels as train-images-idx3-ubyte has images, found 4");
    expect_error("labels", idx_bytes({5}, {0, 1, 10, 3, 4}), "ubyte[2]: expected classes 0..9, found 10");
}

TEST_F(Idx, ChecksTheSizeAGzipFileDeclaresBeforeTakingMemory) {
    std::string huge = gzip(images(5));
    huge.replace(huge.size() - 4, 4, "\xff\xff\xff\xff");
    expect_error("images", huge, "end too early or are damaged");
    std::string wrong = gzip(images(5));
    wrong[wrong.size() - 4] = static_cast<char>(wrong[wrong.size() - 4] + 1);
    expect_error("images", wrong, "end too early or are damaged");
    wrong = gzip(images(5));
    wrong[wrong.size() - 8] = static_cast<char>(wrong[wrong.size() - 8] ^ 1);  // the check sum
    expect_error("images", wrong, "end too early or are damaged");
    const auto two = gzip(images(5)) + gzip(images(5));
    expect_error("images", two, "5 x 3 x 4 values, found 136 bytes behind the header");
    expect_error("images", gzip(images(5)) + "more", "4 bytes behind them");
}

TEST_F(Idx, NamesMissingFilesSplitsAndLoops) {
    auto other = options();
    other.split = "tset";
    EXPECT_NE(error_of([&] { IdxImages{other}; }).find("did you mean 'test'?"), std::string::npos);
    other.split = "test";
    EXPECT_NE(error_of([&] { IdxImages{other}; }).find("t10k-images-idx3-ubyte[.gz], found none"),
              std::string::npos);
    std::filesystem::remove(folder / name("labels"));
    EXPECT_NE(error_of([&] { IdxImages{options()}; }).find("train-labels-idx1-ubyte"), std::string::npos);
    std::filesystem::create_symlink(name("labels"), folder / name("labels"));
    EXPECT_NE(error_of([&] { IdxImages{options()}; }).find("cannot read"), std::string::npos);
    other = options();
    other.classes = 1;
    EXPECT_NE(error_of([&] { IdxImages{other}; }).find("2..256"), std::string::npos);
}

TEST(IdxRealData, HasTheKnownDigits) {
    const auto folder = real_data() / "digits";
    if (!std::filesystem::exists(folder / "mnist")) GTEST_SKIP() << folder << " is absent";
    IdxOptions options{folder / "mnist", "test"};
    const IdxImages mnist(options);
    ASSERT_EQ(mnist.size(), 10000);
    EXPECT_EQ(mnist.get(0).image.size(), cv::Size(28, 28));
    // The first ten labels of the published test set, and how often each digit occurs in it.
    const int64_t first[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
    for (int i = 0; i < 10; ++i) EXPECT_EQ(mnist.get(i).labels[0].class_index, first[i]) << i;
    std::vector<int> counts(10);
    for (int i = 0; i < 10000; ++i) ++counts[static_cast<size_t>(mnist.get(i).labels[0].class_index)];
    EXPECT_EQ(counts, (std::vector<int>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
    options.folder = folder / "notmnist";
    EXPECT_EQ(IdxImages(options).tasks()[0].name, "notmnist");
}

}  // namespace
}  // namespace mtlprune::idx_test
