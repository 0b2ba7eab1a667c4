// Intersects camera and light rays with the shapes of one scene, prepared for one camera and one image size.
#pragma once

#include <vector>

#include "datasets/synthetic/scene.h"

namespace mtlprune::rooms {

/// Pixel columns [left, right) and rows [top, bottom).
struct PixelBox {
    int left, top, right, bottom;
};

struct Hit {
    float depth;  ///< metres along the optical axis
    int shape;    ///< index into the scene's shapes, or -1: a surface of the room
    int surface;  ///< which of the scene's surfaces, when shape is -1
};

/// Where a ray met what, seen from the surface.
struct SurfacePoint {
    cv::Vec3f position, normal;  ///< world frame, normal of unit length
    float u, v;                  ///< texture coordinates in metres
    Label label;
    const Material* material;
};

class Tracer {
  public:
    Tracer(const Scene& scene, int width, int height);

    /// The ray through the middle of a pixel: camera frame, z = 1.
    cv::Vec3f ray(int x, int y) const {
        return {(static_cast<float>(x) - cx_) / fx_, (static_cast<float>(y) - cy_) / fy_, 1.0f};
    }
    /// Metres on a surface at unit depth that one pixel covers.
    float pixel_width() const { return 1.0f / fx_; }

    /// Shapes that may be seen in the box.
    void visible_in(const PixelBox& box, std::vector<int>& shapes) const;
    /// Shapes that may stand between the lamp and a point in `points`.
    void shading(const Bounds& points, std::vector<int>& shapes) const;

    /// What pixel (x, y) sees of `shapes` and of the room.
    Hit closest(int x, int y, const std::vector<int>& shapes) const;
    bool in_shadow(const cv::Vec3f& position, const std::vector<int>& shapes) const;
    SurfacePoint surface_at(const cv::Vec3f& ray, const Hit& hit) const;

  private:
    /// A shape in the frame where it is the unit cube, sphere or cylinder.
    struct Prepared {
        Form form;
        cv::Matx33f to_unit;         ///< of a world vector
        cv::Matx33f camera_to_unit;  ///< of a camera-frame vector
        cv::Vec3f camera, lamp;      ///< their positions in the unit frame
        Bounds bounds;
        float radius;  // of the sphere around the shape's centre that holds it
        PixelBox pixels;
    };
    Prepared prepare(const Shape& shape, int width, int height) const;
    bool between_lamp_and(const Bounds& points, const Bounds& shape) const;
    PixelBox pixels_of(const Shape& shape, int width, int height) const;

    const Scene& scene_;
    float fx_, fy_, cx_, cy_;
    std::vector<Prepared> shapes_;
};

}  // namespace mtlprune::rooms
