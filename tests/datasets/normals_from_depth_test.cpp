#include "datasets/pipeline/normals_from_depth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <vector>

#include "base/error.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/codecs/npy.h"
#include "tests/data_folder.h"

namespace mtlprune::normals_from_depth_test {
namespace {

constexpr CameraIntrinsics kCamera = {60, 62, 31.5, 22.25};

/// Depth of the plane normal . P = -distance as seen by `camera`.
cv::Mat plane_depth(const cv::Vec3d& normal, double distance, cv::Size size,
                    const CameraIntrinsics& camera = kCamera) {
    cv::Mat depth(size, CV_32FC1);
    for (int v = 0; v < size.height; ++v)
        for (int u = 0; u < size.width; ++u) {
            const cv::Vec3d ray((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1);
            depth.at<float>(v, u) = static_cast<float>(-distance / normal.dot(ray));
        }
    return depth;
}

double degrees_between(const cv::Vec3f& a, const cv::Vec3d& b) {
    const cv::Vec3d c = cv::Vec3d(a).cross(b);
    return std::atan2(cv::norm(c), cv::Vec3d(a).dot(b)) * 180 / CV_PI;
}

const std::vector<cv::Vec3d>& directions() {
    static const std::vector<cv::Vec3d> all = {
        {0, 0, -1}, {0.6, 0, -0.8}, {-0.36, 0.48, -0.8}, {0.0, -0.8, -0.6}, {0.48, 0.6, -0.64}};
    return all;
}

TEST(NormalsFromDepth, AreExactOnPlanes) {
    for (const auto& normal : directions()) {
        const cv::Mat normals = normals_from_depth(plane_depth(normal, 2.5, {64, 48}), kCamera, 5);
        double worst = 0;
        for (int v = 5; v < 43; ++v)
            for (int u = 5; u < 59; ++u)
                worst = std::max(worst, degrees_between(normals.at<cv::Vec3f>(v, u), normal));
        EXPECT_LT(worst, 1e-3) << normal;  // depth itself is rounded to 24 bits
    }
}

TEST(NormalsFromDepth, AreExactBesideGaps) {
    for (const auto& normal : directions()) {
        cv::Mat depth = plane_depth(normal, 2.5, {64, 48});
        depth(cv::Rect(20, 10, 6, 30)) = 0;
        const cv::Mat normals = normals_from_depth(depth, kCamera, 5);
        double worst = 0;
        int found = 0;
        for (int v = 5; v < 43; ++v)
            for (int u = 5; u < 59; ++u) {
                const auto& n = normals.at<cv::Vec3f>(v, u);
                EXPECT_TRUE(depth.at<float>(v, u) > 0.0f || n == cv::Vec3f::all(0));
                if (n == cv::Vec3f::all(0)) continue;
                ++found;
                worst = std::max(worst, degrees_between(n, normal));
            }
        EXPECT_LT(worst, 2e-3) << normal;
        EXPECT_EQ(found, 38 * 54 - 6 * 30);  // less than half of no window is missing
    }
}

TEST(NormalsFromDepth, NeedHalfOfAWindowAndAllOfItInside) {
    cv::Mat depth = plane_depth({0, 0, -1}, 1, {32, 24});
    depth.colRange(0, 16) = 0;
    const cv::Mat normals = normals_from_depth(depth, kCamera, 3);
    for (int u = 0; u < 32; ++u)
        EXPECT_EQ(normals.at<cv::Vec3f>(12, u) != cv::Vec3f::all(0), u >= 16 && u < 29) << u;
    for (const int v : {0, 2, 21, 23}) EXPECT_EQ(normals.at<cv::Vec3f>(v, 20), cv::Vec3f::all(0)) << v;
    EXPECT_EQ(cv::countNonZero(normals_from_depth(cv::Mat::zeros(24, 32, CV_32FC1), kCamera, 3).reshape(1)),
              0);
    EXPECT_EQ(cv::countNonZero(normals_from_depth(depth(cv::Rect(16, 0, 6, 6)), kCamera, 3).reshape(1)), 0);
}

TEST(NormalsFromDepth, RejectWhatTheyCannotUse) {
    const cv::Mat depth = cv::Mat::ones(8, 8, CV_32FC1);
    EXPECT_THROW(normals_from_depth(cv::Mat(), kCamera, 3), Error);
    EXPECT_THROW(normals_from_depth(cv::Mat::ones(8, 8, CV_8UC1), kCamera, 3), Error);
    EXPECT_THROW(normals_from_depth(depth, kCamera, 0), Error);
    EXPECT_THROW(normals_from_depth(depth, {0, 1, 1, 1}, 3), Error);
}

TEST(NormalsFromDepth, CodesAreThoseOfTheAdaShareLayout) {
    cv::Mat normals(1, 4, CV_32FC3);
    normals.at<cv::Vec3f>(0, 0) = {0, 0, -1};           // faces the camera
    normals.at<cv::Vec3f>(0, 1) = {1, 0, 0};            // right
    normals.at<cv::Vec3f>(0, 2) = {0, -0.28f, -0.96f};  // up
    normals.at<cv::Vec3f>(0, 3) = {0, 0, 0};
    const cv::Mat codes = encode_normals(normals);
    EXPECT_EQ(codes.at<cv::Vec3b>(0, 0), cv::Vec3b(128, 0, 128));
    EXPECT_EQ(codes.at<cv::Vec3b>(0, 1), cv::Vec3b(128, 128, 254));
    EXPECT_EQ(codes.at<cv::Vec3b>(0, 2), cv::Vec3b(163, 5, 128));  // 1.28 * 127.5 = 163.2, 0.04 * 127.5 = 5.1
    EXPECT_EQ(codes.at<cv::Vec3b>(0, 3), cv::Vec3b(255, 255, 255));
}

TEST(NormalsFromDepth, ResizedCameraSeesTheSamePlane) {
    const cv::Vec3d normal(-0.36, 0.48, -0.8);
    const cv::Mat large = plane_depth(normal, 2, {64, 48});
    cv::Mat small(24, 32, CV_32FC1);
    for (int v = 0; v < 24; ++v)
        for (int u = 0; u < 32; ++u) small.at<float>(v, u) = large.at<float>(2 * v, 2 * u);
    const auto camera = kCamera.resized({64, 48}, {32, 24});
    const cv::Mat normals = normals_from_depth(small, camera, 3);
    EXPECT_LT(degrees_between(normals.at<cv::Vec3f>(12, 16), normal), 1e-3);
}

/// Median angle in degrees to the published normals of four frames, where both exist.
TEST(NormalsFromDepth, AreCloseToThePublishedOnes) {
    const auto folder = real_data() / "adashare-samples";
    if (!std::filesystem::exists(folder / "depth")) GTEST_SKIP() << "no " << folder;
    std::vector<double> angles;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "depth")) {
        const auto stem = entry.path().stem().string();
        const cv::Mat fitted = normals_from_depth(read_npy(entry.path()), kNyuCamera, kNormalsRadius);
        const cv::Mat codes = read_colour_image(folder / "normal_mask" / (stem + ".png"));
        std::vector<double> frame;
        for (int v = 0; v < codes.rows; ++v)
            for (int u = 0; u < codes.cols; ++u) {
                const auto code = codes.at<cv::Vec3b>(v, u);
                const auto& n = fitted.at<cv::Vec3f>(v, u);
                const bool masked = code[0] == 255 || code[1] == 255 || code[2] == 255 ||
                                    code == cv::Vec3b::all(127) || n == cv::Vec3f::all(0);
                if (masked) continue;
                const cv::Vec3d published(code[2] / 127.5 - 1, 1 - code[0] / 127.5, code[1] / 127.5 - 1);
                frame.push_back(degrees_between(n, published));
            }
        ASSERT_GT(frame.size(), 100000u) << stem;
        std::nth_element(frame.begin(), frame.begin() + frame.size() / 2, frame.end());
        RecordProperty("median_degrees_" + stem, std::to_string(frame[frame.size() / 2]));
        std::cout << stem << ": median " << frame[frame.size() / 2] << " degrees\n";
        angles.push_back(frame[frame.size() / 2]);
    }
    ASSERT_EQ(angles.size(), 4u);
    for (const double angle : angles) EXPECT_LT(angle, 10.0);
    EXPECT_LT((angles[0] + angles[1] + angles[2] + angles[3]) / 4, 6.0);
}

}  // namespace
}  // namespace mtlprune::normals_from_depth_test
