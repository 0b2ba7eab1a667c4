#include "datasets/pipeline/normal_axes.h"

#include <cmath>
#include <limits>

#include "tests/bad_input.h"

namespace mtlprune::normal_axes_test {
namespace {

TEST(NormalAxes, ParsesDirections) {
    EXPECT_EQ(parse_normal_axes("right down forward", "here"), NormalAxes());
    const NormalAxes axes = parse_normal_axes("forward left up", "here");
    EXPECT_EQ(axes.channel, (std::array<int, 3>{1, 2, 0}));
    EXPECT_EQ(axes.sign, (std::array<float, 3>{-1, -1, 1}));
    for (const char* wrong : {"", "right down", "right left forward", "right down forward up",
                              "right down in", "right down forward forward"}) {
        const auto message = error_of([&] { parse_normal_axes(wrong, "here"); });
        EXPECT_NE(
            message.find(fmt::format("normals: here: expected three directions like 'right down forward', "
                                     "one along each axis, found '{}'",
                                     wrong)),
            std::string::npos)
            << message;
    }
}

TEST(NormalAxes, TurnsAndNormalisesVectors) {
    cv::Mat values(1, 3, CV_32FC3);
    values.at<cv::Vec3f>(0, 0) = {0.3f, 0.4f, 0.0f};  // forward 0.3, left 0.4
    values.at<cv::Vec3f>(0, 1) = {0.0f, 0.0f, 1.0f};  // up
    values.at<cv::Vec3f>(0, 2) = {0.0f, 5e-4f, 0.0f};
    const cv::Mat normals = unit_normals(values, parse_normal_axes("forward left up", ""), "file");
    EXPECT_LT(cv::norm(normals.at<cv::Vec3f>(0, 0) - cv::Vec3f(-0.8f, 0, 0.6f)), 1e-6);
    EXPECT_LT(cv::norm(normals.at<cv::Vec3f>(0, 1) - cv::Vec3f(0, -1, 0)), 1e-6);
    EXPECT_EQ(normals.at<cv::Vec3f>(0, 2), cv::Vec3f(0, 0, 0));
}

TEST(NormalAxes, NamesVectorsOfImpossibleLength) {
    for (const float wrong : {1.02f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
        cv::Mat values(2, 3, CV_32FC3, cv::Scalar(0, 0, -1));
        values.at<cv::Vec3f>(1, 2) = {wrong, 0, 0};
        const auto message = error_of([&] { unit_normals(values, {}, "a.npy"); });
        EXPECT_NE(message.find("normals: a.npy: expected unit vectors or (0, 0, 0), found length"),
                  std::string::npos)
            << message;
        EXPECT_NE(message.find("at row 1, column 2"), std::string::npos) << message;
    }
}

TEST(NormalAxes, CountsWhatFacesTheCamera) {
    cv::Mat normals(2, 4, CV_32FC3, cv::Scalar(0, 0, -1));
    EXPECT_EQ(facing_fraction(normals, 1.0), 1.0);
    normals.colRange(0, 1).setTo(cv::Scalar(0, 0, 1));
    EXPECT_EQ(facing_fraction(normals, 1.0), 0.75);
    normals.colRange(1, 2).setTo(cv::Scalar::all(0));
    EXPECT_NEAR(facing_fraction(normals, 1.0), 4.0 / 6.0, 1e-12);
    // A floor, seen below the middle only: the ray points down, the normal up.
    cv::Mat floor(4, 2, CV_32FC3, cv::Scalar(0, -1, 0));
    EXPECT_EQ(facing_fraction(floor, 0.8), 0.5);
    EXPECT_EQ(facing_fraction(cv::Mat(2, 2, CV_32FC3, cv::Scalar::all(0)), 1.0), 1.0);
}

}  // namespace
}  // namespace mtlprune::normal_axes_test
