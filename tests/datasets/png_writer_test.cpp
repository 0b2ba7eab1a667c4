#include "datasets/codecs/png_writer.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "datasets/codecs/png.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::png_writer_test {
namespace {

/// Smooth, so that each filter is the best somewhere.
cv::Mat gradients(int height, int width, int channels) {
    cv::Mat pixels = random_pixels(height, width, channels, 3, 4);
    for (int y = 0; y < height; ++y)
        for (int i = 0; i < width * channels; ++i)
            pixels.ptr(y)[i] = static_cast<uint8_t>(pixels.ptr(y)[i] + (y < height / 2 ? 3 * i : 5 * y + i));
    return pixels;
}

TEST(PngWriter, OpenCvReadsTheSamePixels) {
    for (const int channels : {1, 3})
        for (const cv::Size size : {cv::Size(1, 1), cv::Size(7, 1), cv::Size(1, 5), cv::Size(33, 21)})
            for (const cv::Mat& pixels : {random_pixels(size.height, size.width, channels, 1),
                                          gradients(size.height, size.width, channels)}) {
                const cv::Mat read = cv::imdecode(encode_png(pixels, 9), cv::IMREAD_UNCHANGED);
                ASSERT_EQ(read.type(), pixels.type());
                ASSERT_EQ(read.size(), pixels.size());
                EXPECT_EQ(cv::norm(read, pixels, cv::NORM_INF), 0) << size << channels;
            }
}

TEST(PngWriter, OurDecoderAcceptsIt) {
    const cv::Mat pixels = gradients(20, 30, 3);
    const auto bytes = encode_png(pixels(cv::Rect(3, 2, 20, 15)), 12);  // not continuous
    const auto header = check_png(bytes, "test");
    EXPECT_EQ(header.width, 20);
    EXPECT_EQ(header.height, 15);
    EXPECT_EQ(
        cv::norm(*decode_plain_png(bytes, header, "test"), pixels(cv::Rect(3, 2, 20, 15)), cv::NORM_INF), 0);
}

TEST(PngWriter, RejectsOtherTypes) {
    EXPECT_THROW(encode_png(cv::Mat(), 9), Error);
    EXPECT_THROW(encode_png(cv::Mat(2, 2, CV_16UC1), 9), Error);
}

}  // namespace
}  // namespace mtlprune::png_writer_test
