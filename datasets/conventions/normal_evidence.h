// Which axes normals are in, as the normals themselves and the depth beside them tell.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "datasets/pipeline/normal_axes.h"

namespace mtlprune {

/// What some frames say about the axes of their normals.
struct AxesVerdict {
    double facing = 1.0;     ///< fraction of the normals, taken as they are, that face the camera
    int64_t normals = 0;     ///< how many that is a fraction of
    bool certain = false;    ///< the normals fitted to depth agree with those in `axes` and in no others
    NormalAxes axes;         ///< certain: which channel holds each of x (right), y (down), z (forward)
    double agreement = 0.0;  ///< certain: mean cosine between the normals in `axes` and the fitted ones
};

/// Collects frames. Normals are compared with planes fitted to the depth (normals_from_depth.h), which needs
/// no unit of depth and little of the camera: directions are told apart, not degrees.
class NormalEvidence {
  public:
    /// `normals` CV_32FC3 of any axes, (0, 0, 0) = none; `depth` CV_32FC1 of the same size, 0 = missing, or
    /// empty. `focal_length` of the camera in image widths.
    void add(const cv::Mat& normals, const cv::Mat& depth, double focal_length);

    /// Certain only when the best of the 48 axes has a mean cosine of at least 0.7 and beats each of the
    /// others in at least 3 of 4 of the places where the two differ, of which there must be 200 and 1 in 50.
    /// Deterministic.
    AxesVerdict verdict() const;

  private:
    struct Pair {
        cv::Vec3f given, fitted;
    };
    bool beats(const NormalAxes& best, const NormalAxes& other) const;

    std::vector<Pair> pairs_;
    double facing_ = 0.0;
    int64_t normals_ = 0;
};

/// The focal length that is taken for cameras nobody described, in image widths: that of the Kinect's colour
/// camera.
inline constexpr double kUsualFocalLength = 519.0 / 640.0;

}  // namespace mtlprune
