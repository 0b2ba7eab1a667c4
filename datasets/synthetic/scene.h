// What a synthetic room consists of: geometry, materials, one lamp, one camera.
#pragma once

#include <array>
#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

#include "datasets/synthetic/material.h"

namespace mtlprune::rooms {

/// The NYU-13 classes.
enum class Label : uint8_t {
    bed,
    books,
    ceiling,
    chair,
    floor,
    furniture,
    objects,
    picture,
    sofa,
    table,
    tv,
    wall,
    window
};

enum class Form : uint8_t { box, ellipsoid, cylinder };

/// A solid turned about the vertical. World frame: x and z span the floor, y points up, metres. The local
/// axes are x_world = x cos(yaw) + z sin(yaw), z_world = z cos(yaw) - x sin(yaw).
struct Shape {
    Form form = Form::box;
    Label label = Label::objects;
    cv::Vec3f centre;
    cv::Vec3f half;  ///< half extents along the local axes, > 0
    float yaw = 0.0f;
    Material material;
};

struct Bounds {
    cv::Vec3f low, high;
};

/// The axis-aligned box around a shape.
Bounds bounds_of(const Shape& shape);

/// The vector of the world turned by `yaw` into the world (see Shape).
cv::Vec3f turned(const cv::Vec3f& local, float yaw);

struct Camera {
    cv::Vec3f position;
    cv::Matx33f to_world;  ///< columns: the camera's right, down and forward axes
};

/// A camera at `position` that looks at `target`, rolled by `roll` radians.
Camera look_at(const cv::Vec3f& position, const cv::Vec3f& target, float roll);

struct Scene {
    cv::Vec3f size;                    ///< the room fills [0,size.x] x [0,size.y] x [0,size.z]
    std::array<Material, 6> surfaces;  ///< x=0, x=max, floor, ceiling, z=0, z=max
    std::vector<Shape> shapes;
    cv::Vec3f lamp;         ///< position of the point light that casts shadows
    cv::Vec3f lamp_colour;  ///< BGR
    cv::Vec3f fill;         ///< unit vector towards the second, shadowless light
    Camera camera;
};

}  // namespace mtlprune::rooms
