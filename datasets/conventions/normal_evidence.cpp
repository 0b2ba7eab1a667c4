#include "datasets/conventions/normal_evidence.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/normal_codes.h"
#include "datasets/pipeline/normals_from_depth.h"

namespace mtlprune {
namespace {

constexpr int kWidth = 160;  // of the frames that planes are fitted to: enough, and cheap
constexpr double kLeastAgreement = 0.7, kLeastWins = 0.75, kLeastShare = 0.02;
constexpr float kDiffer = 0.2f;
constexpr int64_t kLeastPlaces = 200;

cv::Vec3f turned(const cv::Vec3f& given, const NormalAxes& axes) {
    cv::Vec3f n;
    for (int axis = 0; axis < 3; ++axis) n[axis] = axes.sign[axis] * given[axes.channel[axis]];
    return n;
}

cv::Mat small(const cv::Mat& pixels) {
    if (pixels.cols <= kWidth) return pixels;
    cv::Mat resized;
    cv::resize(pixels, resized, cv::Size(kWidth, std::max(1, kWidth * pixels.rows / pixels.cols)), 0, 0,
               cv::INTER_NEAREST);
    return resized;
}

cv::Mat fitted_normals(const cv::Mat& depth, double focal_length) {
    const double focal = focal_length * depth.cols;
    const CameraIntrinsics camera = {focal, focal, 0.5 * (depth.cols - 1), 0.5 * (depth.rows - 1)};
    return normals_from_depth(depth, camera, std::max(2, (kNormalsRadius * depth.cols + 320) / 640));
}

}  // namespace

void NormalEvidence::add(const cv::Mat& normals, const cv::Mat& depth, double focal_length) {
    const cv::Mat given = small(normals);
    int64_t count = 0;
    for (int y = 0; y < given.rows; ++y) {
        const cv::Vec3f* row = given.ptr<cv::Vec3f>(y);
        count += std::count_if(row, row + given.cols, is_normal);
    }
    facing_ += facing_fraction(given, focal_length) * static_cast<double>(count);
    normals_ += count;
    if (depth.empty() || depth.size() != normals.size()) return;
    const cv::Mat fitted = fitted_normals(small(depth), focal_length);
    const int step = given.cols >= kWidth ? 2 : 1;
    for (int y = 0; y < given.rows; y += step) {
        const cv::Vec3f *a = given.ptr<cv::Vec3f>(y), *b = fitted.ptr<cv::Vec3f>(y);
        for (int x = 0; x < given.cols; x += step)
            if (is_normal(a[x]) && is_normal(b[x])) pairs_.push_back({a[x], b[x]});
    }
}

bool NormalEvidence::beats(const NormalAxes& best, const NormalAxes& other) const {
    int64_t places = 0, wins = 0;
    for (const Pair& pair : pairs_) {
        const float difference =
            turned(pair.given, best).dot(pair.fitted) - turned(pair.given, other).dot(pair.fitted);
        places += std::abs(difference) > kDiffer;
        wins += difference > kDiffer;
    }
    return places >= kLeastPlaces &&
           static_cast<double>(places) >= kLeastShare * static_cast<double>(pairs_.size()) &&
           static_cast<double>(wins) >= kLeastWins * static_cast<double>(places);
}

AxesVerdict NormalEvidence::verdict() const {
    AxesVerdict verdict;
    verdict.normals = normals_;
    if (normals_ > 0) verdict.facing = facing_ / static_cast<double>(normals_);
    if (pairs_.empty()) return verdict;
    for (const NormalAxes& axes : all_normal_axes()) {
        double sum = 0.0;
        for (const Pair& pair : pairs_) sum += turned(pair.given, axes).dot(pair.fitted);
        const double mean = sum / static_cast<double>(pairs_.size());
        if (mean <= verdict.agreement) continue;
        verdict.agreement = mean;
        verdict.axes = axes;
    }
    const auto& all = all_normal_axes();
    verdict.certain = verdict.agreement >= kLeastAgreement &&
                      std::all_of(all.begin(), all.end(), [&](const NormalAxes& other) {
                          return other == verdict.axes || beats(verdict.axes, other);
                      });
    return verdict;
}

}  // namespace mtlprune
