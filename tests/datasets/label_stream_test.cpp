#include "datasets/packed/label_stream.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "tests/datasets/adashare_folder.h"

namespace mtlprune::label_stream_test {
namespace {

bool same_bits(const cv::Mat& a, const cv::Mat& b) {
    return a.type() == b.type() && a.size() == b.size() && a.isContinuous() && b.isContinuous() &&
           std::memcmp(a.data, b.data, a.total() * a.elemSize()) == 0;
}

/// `distinct` values that rise irregularly.
cv::Mat floats(int height, int width, int channels, int distinct) {
    Random random(distinct);
    cv::Mat result(height, width, CV_32FC(channels));
    for (int i = 0; i < height * width * channels; ++i) {
        const auto k = static_cast<double>(random.below(distinct));
        result.ptr<float>()[i] = static_cast<float>((k + 0.5) / 25.5 + k * k * 1e-3);
    }
    return result;
}

uint8_t planes_of(const std::vector<uint8_t>& stream) {
    return stream.at(0);
}

TEST(LabelStream, EightBitLabelsArePngFiles) {
    for (const int channels : {1, 3}) {
        const cv::Mat labels = random_pixels(12, 17, channels, 5);
        const auto stream = encode_labels(labels, 9);
        EXPECT_EQ(std::memcmp(stream.data(), "\x89PNG", 4), 0);
        EXPECT_TRUE(same_bits(decode_labels(stream, labels.type(), "test"), labels));
    }
}

TEST(LabelStream, FloatsComeBackBitForBit) {
    for (const auto& [distinct, planes] : {std::pair(1, 1), {200, 1}, {256, 1}, {400, 2}, {1000000, 4}})
        for (const int channels : {1, 3}) {
            const cv::Mat labels = floats(61, 67, channels, distinct);
            const auto stream = encode_labels(labels, 6);
            EXPECT_EQ(planes_of(stream), planes) << distinct;
            EXPECT_TRUE(same_bits(decode_labels(stream, labels.type(), "test"), labels)) << distinct;
        }
}

TEST(LabelStream, SpecialFloatsComeBack) {
    cv::Mat labels(1, 8, CV_32FC1);
    uint32_t quiet = 0x7fc12345u, signalling = 0xff812345u;
    const float values[] = {0.0f,
                            -0.0f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::denorm_min(),
                            -1.5f};
    std::memcpy(labels.data, values, sizeof values);
    std::memcpy(labels.data + 24, &quiet, 4);
    std::memcpy(labels.data + 28, &signalling, 4);
    EXPECT_TRUE(same_bits(decode_labels(encode_labels(labels, 9), CV_32FC1, "test"), labels));
}

TEST(LabelStream, RejectsOtherTypes) {
    EXPECT_THROW(encode_labels(cv::Mat(), 9), Error);
    EXPECT_THROW(encode_labels(cv::Mat(2, 2, CV_64FC1), 9), Error);
    const auto grey = encode_labels(random_pixels(4, 4, 1, 1), 9);
    EXPECT_THROW(decode_labels(grey, CV_8UC3, "test"), Error);
    EXPECT_THROW(decode_labels(encode_labels(floats(3, 4, 1, 9), 9), CV_32FC3, "test"), Error);
}

TEST(LabelStream, EveryTruncationIsAnError) {
    for (const int distinct : {50, 1000000}) {
        auto stream = encode_labels(floats(9, 7, 1, distinct), 9);
        for (size_t length = 0; length < stream.size(); ++length) {
            const std::vector<uint8_t> part(stream.begin(), stream.begin() + length);
            EXPECT_THROW(decode_labels(part, CV_32FC1, "test"), Error) << length;
        }
    }
}

TEST(LabelStream, EveryFlippedBitIsAnErrorOrHarmless) {
    const cv::Mat labels = floats(9, 7, 1, 50);
    const auto stream = encode_labels(labels, 9);
    for (size_t bit = 0; bit < 8 * stream.size(); ++bit) {
        auto damaged = stream;
        damaged[bit / 8] = static_cast<uint8_t>(damaged[bit / 8] ^ 1 << bit % 8);
        try {
            EXPECT_TRUE(same_bits(decode_labels(damaged, CV_32FC1, "test"), labels)) << bit;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("test"), std::string::npos) << error.what();
        }
    }
}

}  // namespace
}  // namespace mtlprune::label_stream_test
