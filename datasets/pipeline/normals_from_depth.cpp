#include "datasets/pipeline/normals_from_depth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "base/error.h"

namespace mtlprune {
namespace {

/// Directions of the columns or rows of the image.
std::vector<double> directions(int length, double centre, double focal) {
    std::vector<double> values(length);
    for (int i = 0; i < length; ++i) values[i] = (i - centre) / focal;
    return values;
}

struct Rays {
    std::vector<double> x, y;
};

/// Sums over the window around each pixel.
cv::Mat window_sums(const cv::Mat& values, int radius) {
    cv::Mat sums;
    const cv::Size window(2 * radius + 1, 2 * radius + 1);
    cv::boxFilter(values, sums, -1, window, cv::Point(-1, -1), false, cv::BORDER_CONSTANT);
    return sums;
}

/// Second moments of a window's rays and their means.
struct Moments {
    double count = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
};

/// 1/Z, x/Z, y/Z where there is depth, else 0.
cv::Mat inverse_depth(const cv::Mat& depth, const Rays& rays) {
    cv::Mat values(depth.size(), CV_64FC3);
    for (int v = 0; v < depth.rows; ++v) {
        const float* z = depth.ptr<float>(v);
        auto* row = values.ptr<cv::Vec3d>(v);
        for (int u = 0; u < depth.cols; ++u) {
            const double q = z[u] > 0.0f ? 1.0 / z[u] : 0.0;
            row[u] = {q, rays.x[u] * q, rays.y[v] * q};
        }
    }
    return values;
}

/// Per pixel (1, x, y) or (xx, yy, xy) where there is depth, else 0.
cv::Mat ray_moments(const cv::Mat& depth, const Rays& rays, bool second) {
    cv::Mat values(depth.size(), CV_64FC3, cv::Scalar::all(0));
    for (int v = 0; v < depth.rows; ++v)
        for (int u = 0; u < depth.cols; ++u) {
            if (!(depth.at<float>(v, u) > 0.0f)) continue;
            const double x = rays.x[u], y = rays.y[v];
            values.at<cv::Vec3d>(v, u) = second ? cv::Vec3d(x * x, y * y, x * y) : cv::Vec3d(1, x, y);
        }
    return values;
}

/// What a window without gaps has, the same everywhere up to the position of its centre.
Moments full_window(const CameraIntrinsics& camera, int radius) {
    const double side = 2 * radius + 1, variance = (side * side - 1) / 12;
    return {side * side, 0, 0, variance / (camera.fx * camera.fx), variance / (camera.fy * camera.fy), 0};
}

Moments window_at(const cv::Vec3d& first, const cv::Vec3d& second) {
    const double n = std::max(first[0], 1.0), x = first[1] / n, y = first[2] / n;
    return {first[0], x, y, second[0] / n - x * x, second[1] / n - y * y, second[2] / n - x * y};
}

/// -(a, b, c) normalised, from the sums of 1/Z, x/Z and y/Z.
cv::Vec3f fit(const Moments& w, const cv::Vec3d& sums) {
    const double q = sums[0] / w.count, xq = sums[1] / w.count - w.x * q, yq = sums[2] / w.count - w.y * q;
    const double determinant = w.xx * w.yy - w.xy * w.xy;
    const double a = (xq * w.yy - yq * w.xy) / determinant, b = (yq * w.xx - xq * w.xy) / determinant;
    const double c = q - a * w.x - b * w.y;
    const double scale = -1.0 / std::sqrt(a * a + b * b + c * c);
    return {static_cast<float>(a * scale), static_cast<float>(b * scale), static_cast<float>(c * scale)};
}

void check(const cv::Mat& depth, const CameraIntrinsics& camera, int radius) {
    if (depth.empty() || depth.type() != CV_32FC1)
        throw Error("normals from depth", "depth", "a 32-bit depth map", "another type");
    if (radius < 1 || radius > 1000)
        throw Error("normals from depth", "radius", "1..1000 pixels", std::to_string(radius));
    if (!(camera.fx > 0 && camera.fy > 0))
        throw Error("normals from depth", "camera", "positive focal lengths",
                    fmt::format("{} and {}", camera.fx, camera.fy));
}

void fit_without_gaps(const cv::Mat& sums, const Rays& rays, const Moments& full, int radius,
                      cv::Mat& normals) {
    for (int v = radius; v < sums.rows - radius; ++v)
        for (int u = radius; u < sums.cols - radius; ++u) {
            Moments window = full;
            window.x = rays.x[u];
            window.y = rays.y[v];
            normals.at<cv::Vec3f>(v, u) = fit(window, sums.at<cv::Vec3d>(v, u));
        }
}

void fit_with_gaps(const cv::Mat& depth, const cv::Mat& sums, const Rays& rays, const Moments& full,
                   int radius, cv::Mat& normals) {
    const cv::Mat first = window_sums(ray_moments(depth, rays, false), radius),
                  second = window_sums(ray_moments(depth, rays, true), radius);
    const double least_area = 1e-3 * full.xx * full.yy;  // the pixels with depth are almost on a line
    for (int v = radius; v < depth.rows - radius; ++v)
        for (int u = radius; u < depth.cols - radius; ++u) {
            const Moments w = window_at(first.at<cv::Vec3d>(v, u), second.at<cv::Vec3d>(v, u));
            const bool enough = depth.at<float>(v, u) > 0.0f && 2 * w.count >= full.count &&
                                w.xx * w.yy - w.xy * w.xy > least_area;
            if (enough) normals.at<cv::Vec3f>(v, u) = fit(w, sums.at<cv::Vec3d>(v, u));
        }
}

}  // namespace

CameraIntrinsics CameraIntrinsics::resized(cv::Size from, cv::Size to) const {
    const double x = static_cast<double>(to.width) / from.width,
                 y = static_cast<double>(to.height) / from.height;
    return {fx * x, fy * y, cx * x, cy * y};
}

cv::Mat normals_from_depth(const cv::Mat& depth, const CameraIntrinsics& camera, int radius) {
    check(depth, camera, radius);
    const Rays rays = {directions(depth.cols, camera.cx, camera.fx),
                       directions(depth.rows, camera.cy, camera.fy)};
    const cv::Mat sums = window_sums(inverse_depth(depth, rays), radius);
    const Moments full = full_window(camera, radius);
    cv::Mat normals(depth.size(), CV_32FC3, cv::Scalar::all(0));
    double nearest = 0;
    cv::minMaxLoc(depth, &nearest);
    if (nearest > 0)
        fit_without_gaps(sums, rays, full, radius, normals);
    else
        fit_with_gaps(depth, sums, rays, full, radius, normals);
    return normals;
}

}  // namespace mtlprune
