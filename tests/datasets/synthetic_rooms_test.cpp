#include "datasets/synthetic/synthetic_rooms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <set>
#include <span>

#include "base/error.h"

namespace mtlprune::synthetic_rooms_test {
namespace {

SyntheticRooms rooms_of(int64_t count, int64_t width, const std::string& split = "train", uint64_t seed = 3) {
    return SyntheticRooms(
        {.count = count, .height = width * 3 / 4, .width = width, .seed = seed, .split = split});
}

bool equal(const cv::Mat& a, const cv::Mat& b) {
    return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0.0;
}

bool equal(const Sample& a, const Sample& b) {
    return a.id == b.id && equal(a.image, b.image) && equal(a.labels[0].pixels, b.labels[0].pixels) &&
           equal(a.labels[1].pixels, b.labels[1].pixels) && equal(a.labels[2].pixels, b.labels[2].pixels);
}

/// Camera frame (x right, y down, z forward) from the 8-bit code.
cv::Vec3d decode(const cv::Vec3b& code) {
    const cv::Vec3d up_forward_right = cv::Vec3d(code) / 127.5 - cv::Vec3d(1, 1, 1);
    return {up_forward_right[2], -up_forward_right[0], up_forward_right[1]};
}

/// Back-projection with the Kinect of NYU Depth V2, pixel centres at integers at 640 x 480.
struct Projection {
    double scale;
    explicit Projection(int width) : scale(width / 640.0) {}
    cv::Vec3d ray(int x, int y) const {
        return {((x + 0.5) / scale - 0.5 - 325.582) / 518.858, ((y + 0.5) / scale - 0.5 - 253.736) / 519.470,
                1.0};
    }
    cv::Vec3d point(const cv::Mat& depth, int x, int y) const { return ray(x, y) * depth.at<float>(y, x); }
};

double degrees_between(const cv::Vec3d& a, const cv::Vec3d& b) {
    return std::acos(std::clamp(a.dot(b) / (cv::norm(a) * cv::norm(b)), -1.0, 1.0)) * 180.0 / CV_PI;
}

std::vector<cv::Point> pixels_of(const Sample& sample) {
    std::vector<cv::Point> pixels;
    for (int y = 0; y < sample.image.rows; ++y)
        for (int x = 0; x < sample.image.cols; ++x) pixels.emplace_back(x, y);
    return pixels;
}

TEST(SyntheticRooms, FrameDependsOnlyOnSeedSplitAndIndex) {
    const SyntheticRooms few = rooms_of(4, 64), many = rooms_of(50, 64);
    const std::vector<Sample> one = render_all(few, 1), three = render_all(few, 3);
    ASSERT_EQ(one.size(), 4u);
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(equal(one[i], three[i])) << i;
        EXPECT_TRUE(equal(one[i], many.get(i))) << i;
    }
}

TEST(SyntheticRooms, FramesSplitsAndSeedsDiffer) {
    const std::vector<Sample> train = render_all(rooms_of(6, 32), 1),
                              test = render_all(rooms_of(6, 32, "test"), 1),
                              other = render_all(rooms_of(6, 32, "train", 4), 1);
    for (size_t i = 0; i < train.size(); ++i) {
        for (size_t j = 0; j < train.size(); ++j) {
            EXPECT_FALSE(equal(train[i].labels[2].pixels, test[j].labels[2].pixels)) << i << " " << j;
            EXPECT_FALSE(equal(train[i].labels[2].pixels, other[j].labels[2].pixels)) << i << " " << j;
            EXPECT_EQ(equal(train[i].labels[2].pixels, train[j].labels[2].pixels), i == j) << i << " " << j;
        }
    }
}

TEST(SyntheticRooms, LabelsAreCompleteAndDepthIsIndoor) {
    std::set<int> classes;
    for (const Sample& sample : render_all(rooms_of(20, 64), 1)) {
        ASSERT_EQ(sample.image.type(), CV_8UC3);
        ASSERT_EQ(sample.image.size(), cv::Size(64, 48));
        ASSERT_EQ(sample.labels[0].pixels.type(), CV_8UC1);
        ASSERT_EQ(sample.labels[2].pixels.type(), CV_32FC1);
        for (const uint8_t label : cv::Mat_<uint8_t>(sample.labels[0].pixels)) classes.insert(label);
        double low, high;
        cv::minMaxLoc(sample.labels[2].pixels, &low, &high);
        EXPECT_GT(low, 0.5) << sample.id;
        EXPECT_LT(high, 10.0) << sample.id;
        EXPECT_GT(high, low * 1.2) << sample.id;
    }
    EXPECT_GE(classes.size(), 8u);
    EXPECT_LE(*classes.rbegin(), 12);
}

TEST(SyntheticRooms, NormalsAreUnitAndFaceTheCamera) {
    const Projection projection(64);
    for (const Sample& sample : render_all(rooms_of(8, 64), 1)) {
        for (int y = 0; y < 48; ++y) {
            for (int x = 0; x < 64; ++x) {
                const cv::Vec3b code = sample.labels[1].pixels.at<cv::Vec3b>(y, x);
                ASSERT_LT(std::max({code[0], code[1], code[2]}), 255);
                const cv::Vec3d normal = decode(code);
                ASSERT_NEAR(cv::norm(normal), 1.0, 0.012) << sample.id;
                ASSERT_LT(normal.dot(projection.ray(x, y)), 0.01) << sample.id << " " << x << " " << y;
            }
        }
    }
}

TEST(SyntheticRooms, NormalsAgreeWithTheDepthMap) {
    constexpr int kWidth = 160, kHeight = 120;
    const Projection projection(kWidth);
    std::vector<double> errors;
    for (const Sample& sample : render_all(rooms_of(4, kWidth), 1)) {
        for (int y = 1; y < kHeight - 1; ++y) {
            for (int x = 1; x < kWidth - 1; ++x) {
                const cv::Vec3b code = sample.labels[1].pixels.at<cv::Vec3b>(y, x);
                const int label = sample.labels[0].pixels.at<uint8_t>(y, x);
                bool flat = true;
                for (const cv::Point step : {cv::Point(1, 0), {-1, 0}, {0, 1}, {0, -1}}) {
                    const cv::Point at = cv::Point(x, y) + step;
                    flat = flat && sample.labels[1].pixels.at<cv::Vec3b>(at) == code &&
                           sample.labels[0].pixels.at<uint8_t>(at) == label;
                }
                if (!flat) continue;
                const cv::Vec3d dx = projection.point(sample.labels[2].pixels, x + 1, y) -
                                     projection.point(sample.labels[2].pixels, x - 1, y);
                const cv::Vec3d dy = projection.point(sample.labels[2].pixels, x, y + 1) -
                                     projection.point(sample.labels[2].pixels, x, y - 1);
                errors.push_back(degrees_between(dy.cross(dx), decode(code)));
            }
        }
    }
    ASSERT_GT(errors.size(), 4 * kWidth * kHeight * 0.5);
    std::sort(errors.begin(), errors.end());
    EXPECT_LT(errors[errors.size() / 2], 0.6);
    EXPECT_LT(errors[errors.size() * 9 / 10], 1.0);
}

/// The share of pixels of `frames` whose label `classify(colour)` names.
double accuracy(std::span<const Sample> frames, const std::function<int(const cv::Vec3b&)>& classify) {
    double correct = 0.0, total = 0.0;
    for (const Sample& sample : frames)
        for (const cv::Point at : pixels_of(sample)) {
            correct += classify(sample.image.at<cv::Vec3b>(at)) == sample.labels[0].pixels.at<uint8_t>(at);
            ++total;
        }
    return correct / total;
}

/// Classifiers that see one pixel's colour, fitted on one half of the frames, must not solve the other half.
TEST(SyntheticRooms, ColourDoesNotNameTheClass) {
    const std::vector<Sample> samples = render_all(rooms_of(40, 64), 2);
    const std::span<const Sample> fit(samples.data(), 20), rest(samples.data() + 20, 20);
    std::array<cv::Vec3d, 13> mean{};
    std::array<double, 13> count{};
    std::array<std::array<int, 13>, 512> histogram{};
    const auto bin = [](const cv::Vec3b& colour) {
        return colour[0] / 32 * 64 + colour[1] / 32 * 8 + colour[2] / 32;
    };
    for (const Sample& sample : fit)
        for (const cv::Point at : pixels_of(sample)) {
            const int label = sample.labels[0].pixels.at<uint8_t>(at);
            mean[label] += cv::Vec3d(sample.image.at<cv::Vec3b>(at));
            ++count[label];
            ++histogram[bin(sample.image.at<cv::Vec3b>(at))][label];
        }
    for (int c = 0; c < 13; ++c) mean[c] /= std::max(count[c], 1.0);
    const double nearest_mean = accuracy(rest, [&](const cv::Vec3b& colour) {
        int best = 11;
        for (int c = 0; c < 13; ++c)
            if (count[c] > 0 &&
                cv::norm(cv::Vec3d(colour) - mean[c]) < cv::norm(cv::Vec3d(colour) - mean[best]))
                best = c;
        return best;
    });
    const double most_frequent_in_bin = accuracy(rest, [&](const cv::Vec3b& colour) {
        const auto& labels = histogram[bin(colour)];
        return static_cast<int>(std::max_element(labels.begin(), labels.end()) - labels.begin());
    });
    double majority = 0.0;
    for (int c = 0; c < 13; ++c)
        majority = std::max(majority, accuracy(rest, [c](const cv::Vec3b&) { return c; }));
    RecordProperty("accuracies", cv::format("%.3f %.3f %.3f", nearest_mean, most_frequent_in_bin, majority));
    EXPECT_LT(nearest_mean, majority + 0.15);
    EXPECT_LT(most_frequent_in_bin, majority + 0.15);
    EXPECT_LT(majority, 0.6);
}

TEST(SyntheticRooms, DenseLabelsFollowTheImage) {
    const SyntheticRooms rooms(
        {.count = 3, .height = 96, .width = 128, .seed = 1, .split = "test", .dense_labels = true});
    ASSERT_EQ(rooms.tasks().size(), 5u);
    EXPECT_EQ(rooms.tasks()[3], (TaskSpec{"keypoints", TaskKind::keypoints, 1}));
    EXPECT_EQ(rooms.tasks()[4], (TaskSpec{"edges", TaskKind::edges, 1}));
    for (const Sample& sample : render_all(rooms, 1)) {
        double on_border = 0, inside = 0, borders = 0, insides = 0, corners = 0;
        for (int y = 1; y < 95; ++y)
            for (int x = 1; x < 127; ++x) {
                const auto label = [&](int dy, int dx) {
                    return sample.labels[0].pixels.at<uint8_t>(y + dy, x + dx);
                };
                const float edge = sample.labels[4].pixels.at<float>(y, x),
                            corner = sample.labels[3].pixels.at<float>(y, x);
                ASSERT_TRUE(edge >= 0 && edge <= 1 && corner >= 0 && corner <= 1);
                corners += corner > 0.2f;
                const bool border = label(0, 0) != label(0, 1) || label(0, 0) != label(1, 0);
                (border ? on_border : inside) += edge;
                (border ? borders : insides) += 1;
            }
        EXPECT_GT(on_border / borders, 2.0 * inside / insides) << sample.id;
        EXPECT_GT(corners, 10) << sample.id;
        EXPECT_LT(corners, 0.3 * 96 * 128) << sample.id;
    }
    EXPECT_EQ(rooms_of(1, 32).get(0).labels.size(), 3u);
    EXPECT_EQ(rooms_of(1, 32).tasks(), nyuv2_tasks(13));
}

/// Pixel (39, 17) of this frame looks exactly along the horizontal.
TEST(SyntheticRooms, RayParallelToTheFloorMeetsAWall) {
    const Sample sample = rooms_of(194, 64, "train", 11).get(193);
    double low, high;
    cv::minMaxLoc(sample.labels[2].pixels, &low, &high);
    EXPECT_GT(low, 0.5);
    EXPECT_LT(high, 10.0);
    EXPECT_NE(sample.labels[0].pixels.at<uint8_t>(17, 39), 4);
}

TEST(SyntheticRooms, RejectsBadOptions) {
    EXPECT_THROW(rooms_of(0, 64), Error);
    EXPECT_THROW(rooms_of(1, 4), Error);
    EXPECT_THROW(rooms_of(1, 64, "validation"), Error);
    EXPECT_THROW(rooms_of(2, 64).get(2), Error);
    EXPECT_THROW(rooms_of(2, 64).get(-1), Error);
}

TEST(SyntheticRooms, NamesEveryClassOnce) {
    const std::vector<std::string>& names = nyu13_class_names();
    EXPECT_EQ(names.size(), 13u);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 13u);
    EXPECT_EQ(names[11], "wall");
}

}  // namespace
}  // namespace mtlprune::synthetic_rooms_test
