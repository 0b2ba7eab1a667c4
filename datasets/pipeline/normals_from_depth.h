// Surface normals fitted to a depth map.
#pragma once

#include <opencv2/core.hpp>

namespace mtlprune {

/// A pinhole camera: pixel (u, v) sees the direction ((u - cx) / fx, (v - cy) / fy, 1).
struct CameraIntrinsics {
    double fx = 0, fy = 0, cx = 0, cy = 0;
    /// Of the same camera after labels of size `from` became `to` by nearest neighbour (whose pixel u comes
    /// from pixel floor(u from / to)).
    CameraIntrinsics resized(cv::Size from, cv::Size to) const;
};

/// The colour camera of the Kinect of NYU Depth V2 at 640x480 (camera_params.m of the data set's toolbox).
inline constexpr CameraIntrinsics kNyuCamera = {518.857901174502, 519.469611121127, 325.582449411190,
                                                253.736166334005};

/// Half the side of the windows at 640x480.
inline constexpr int kNormalsRadius = 12;

/// Normals of `depth` (CV_32FC1, metres along the optical axis, 0 = missing) as CV_32FC3 unit vectors, x
/// right, y down, z forward, pointing towards the camera; (0,0,0) where there is none.
///
/// A plane of the scene is linear in 1/Z over the image: 1/Z = a x + b y + c with x, y the directions above.
/// a, b, c are fitted by least squares to the (2 radius + 1)^2 pixels around each; the normal is -(a, b, c),
/// normalised. There is none where depth is missing, the window leaves the frame or less than half of it has
/// depth.
/// Throws Error for another type, a radius below 1 and a focal length that is not positive.
cv::Mat normals_from_depth(const cv::Mat& depth, const CameraIntrinsics& camera, int radius);

}  // namespace mtlprune
