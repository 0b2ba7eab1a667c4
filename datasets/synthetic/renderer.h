// Ray-casts a room into an image and its exact labels.
#pragma once

#include <opencv2/core.hpp>

#include "base/random.h"
#include "datasets/synthetic/scene.h"

namespace mtlprune::rooms {

/// One rendered frame, every member H x W.
struct Rendering {
    cv::Mat clean;    ///< CV_8UC3 BGR before sensor noise
    cv::Mat image;    ///< CV_8UC3 BGR
    cv::Mat labels;   ///< CV_8UC1, Label
    cv::Mat depth;    ///< CV_32FC1, metres along the optical axis
    cv::Mat normals;  ///< CV_32FC3, unit, camera frame: x right, y down, z forward (z < 0 faces the camera)
};

/// The Kinect of NYU Depth V2 (FX 518.858, FY 519.470, CX 325.582, CY 253.736 at 640 x 480), scaled to width
/// x height.
struct Intrinsics {
    float fx, fy, cx, cy;
    Intrinsics(int width, int height);
};

/// Renders in the calling thread. `noise` draws the sensor noise only.
Rendering render(const Scene& scene, int width, int height, Random noise);

}  // namespace mtlprune::rooms
