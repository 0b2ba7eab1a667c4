#include "datasets/codecs/image_file.h"

#include "base/atomic_file.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::image_file_test {
namespace {

bool equal(const cv::Mat& a, const cv::Mat& b) {
    return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0.0;
}

std::string encoded(const cv::Mat& pixels, const std::string& ending = ".png",
                    const std::vector<int>& options = {}) {
    std::vector<uint8_t> bytes;
    cv::imencode(ending, pixels, bytes, options);
    return {bytes.begin(), bytes.end()};
}

/// Smooth with some noise, so that encoders choose different row filters.
cv::Mat picture(int height, int width, int channels) {
    cv::Mat pixels = random_pixels(height, width, channels, 3, 6);
    for (int y = 0; y < height; ++y)
        for (int i = 0; i < width * channels; ++i)
            pixels.ptr(y)[i] = static_cast<uint8_t>(pixels.ptr(y)[i] + (3 * y + i) % 240);
    return pixels;
}

struct ImageFile : testing::Test {
    cv::Mat colour(const std::string& bytes) const { return read(bytes, read_colour_image); }
    cv::Mat label(const std::string& bytes) const { return read(bytes, read_label_image); }
    std::string colour_error(const std::string& bytes) const {
        return error_of([&] { colour(bytes); });
    }
    std::string label_error(const std::string& bytes) const {
        return error_of([&] { label(bytes); });
    }
    template <typename Read>
    cv::Mat read(const std::string& bytes, const Read& reader) const {
        write_bytes(folder / "file", bytes);
        return reader(folder / "file");
    }
    TemporaryFolder folder;
};

TEST_F(ImageFile, KeepsColourPixels) {
    for (const int size : {1, 2, 37}) {
        const cv::Mat pixels = picture(size, size + 1, 3);
        EXPECT_TRUE(equal(colour(encoded(pixels)), pixels)) << size;
        // With a compression level the encoder chooses a filter per row.
        EXPECT_TRUE(equal(colour(encoded(pixels, ".png", {cv::IMWRITE_PNG_COMPRESSION, 9})), pixels)) << size;
    }
}

TEST_F(ImageFile, KeepsLabels) {
    const cv::Mat labels = random_pixels(23, 41, 1, 5);
    EXPECT_TRUE(equal(label(encoded(labels)), labels));
}

TEST_F(ImageFile, DecodesJpegAsTheLibraryDoes) {
    const std::string bytes = encoded(picture(40, 56, 3), ".jpg");
    const cv::Mat expected = cv::imdecode(std::vector<uint8_t>(bytes.begin(), bytes.end()), cv::IMREAD_COLOR);
    EXPECT_TRUE(equal(colour(bytes), expected));
}

TEST_F(ImageFile, ReportsEveryTruncationOfAPng) {
    const std::string bytes = encoded(picture(20, 20, 3));
    for (size_t length = 0; length < bytes.size();
         length += length < 60 || length + 30 > bytes.size() ? 1 : 37)
        EXPECT_NE(colour_error(bytes.substr(0, length)).find((folder / "file").string()), std::string::npos)
            << length;
}

TEST_F(ImageFile, ReportsEveryTruncationOfAJpeg) {
    const std::string bytes = encoded(picture(20, 20, 3), ".jpg");
    for (size_t length = 0; length<bytes.size(); length += length + 30> bytes.size() ? 1 : 29)
        EXPECT_NE(colour_error(bytes.substr(0, length)).find((folder / "file").string()), std::string::npos)
            << length;
    EXPECT_NE(colour_error(bytes.substr(0, bytes.size() - 1)).find("truncated"), std::string::npos);
}

TEST_F(ImageFile, IsNotFooledByAnEmbeddedThumbnail) {
    const std::string bytes = encoded(picture(20, 20, 3), ".jpg");
    const std::string thumbnail = encoded(picture(4, 4, 3), ".jpg");
    const size_t length = thumbnail.size() + 2;
    const std::string segment = std::string("\xff\xe1") + static_cast<char>(length >> 8) +
                                static_cast<char>(length & 255) + thumbnail;
    const std::string whole = bytes.substr(0, 2) + segment + bytes.substr(2);
    EXPECT_EQ(colour(whole).rows, 20);
    EXPECT_NE(colour_error(whole.substr(0, whole.size() - 2)).find("truncated"), std::string::npos);
}

TEST_F(ImageFile, ReportsDamagedPngData) {
    const std::string bytes = encoded(picture(20, 20, 3));
    for (const size_t at : {size_t{20}, bytes.size() / 2, bytes.size() - 20}) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        EXPECT_NE(colour_error(damaged).find((folder / "file").string()), std::string::npos) << at;
    }
}

TEST_F(ImageFile, RejectsMorePixelsThanTheDataCanHold) {
    std::string bytes = encoded(picture(20, 20, 3));
    bytes[18] = '\x40';  // width and height 16404: 800 MB from a kilobyte
    bytes[22] = '\x40';
    EXPECT_NE(colour_error(bytes).find((folder / "file").string()), std::string::npos);
}

TEST_F(ImageFile, RejectsLabelsThatDecodingWouldAlter) {
    const cv::Mat grey = picture(8, 8, 1);
    cv::Mat colour_grey, wide;
    cv::merge(std::vector<cv::Mat>{grey, grey, grey}, colour_grey);
    grey.convertTo(wide, CV_16U, 257.0);
    EXPECT_NE(label_error(encoded(colour_grey)).find("found 8-bit colour"), std::string::npos);
    EXPECT_NE(label_error(encoded(wide)).find("found 16-bit grey"), std::string::npos);
    EXPECT_NE(label_error(encoded(grey > 100, ".png", {cv::IMWRITE_PNG_BILEVEL, 1})).find("found 1-bit grey"),
              std::string::npos);
    EXPECT_NE(label_error(encoded(grey, ".jpg")).find("JPEG"), std::string::npos);
}

TEST_F(ImageFile, RejectsImagesWithoutThreeColourBytes) {
    const cv::Mat pixels = picture(8, 8, 3);
    cv::Mat wide, alpha;
    pixels.convertTo(wide, CV_16U, 257.0);
    cv::merge(std::vector<cv::Mat>{pixels, picture(8, 8, 1)}, alpha);
    EXPECT_NE(colour_error(encoded(wide)).find("found 16-bit colour"), std::string::npos);
    EXPECT_NE(colour_error(encoded(alpha)).find("found 8-bit colour with alpha"), std::string::npos);
    EXPECT_NE(colour_error(encoded(picture(8, 8, 1))).find("found 8-bit grey"), std::string::npos);
    EXPECT_NE(colour_error(encoded(picture(8, 8, 1), ".jpg")).find("1 channel"), std::string::npos);
    EXPECT_NE(colour_error("GIF89a").find("PNG or JPEG"), std::string::npos);
}

TEST_F(ImageFile, NamesAMissingFile) {
    const auto message = error_of([] { read_colour_image("/nowhere/a.png"); });
    EXPECT_NE(message.find("/nowhere/a.png: cannot read: No such file"), std::string::npos) << message;
}

}  // namespace
}  // namespace mtlprune::image_file_test
