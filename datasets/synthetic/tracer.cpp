#include "datasets/synthetic/tracer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "datasets/synthetic/renderer.h"

namespace mtlprune::rooms {
namespace {

constexpr float kMiss = std::numeric_limits<float>::infinity();

/// Smallest t > 0 with origin + t * direction on the cube [-1,1]^3, for an origin outside it.
inline float hit_cube(const cv::Vec3f& origin, const cv::Vec3f& direction) {
    float enter = 0.0f, leave = kMiss;
    for (int i = 0; i < 3; ++i) {
        // A parallel ray must give large finite numbers: infinities would cancel to NaN below.
        const float inverse = 1.0f / (direction[i] == 0.0f ? 1e-20f : direction[i]),
                    middle = -origin[i] * inverse, reach = std::abs(inverse);
        enter = std::max(enter, middle - reach);
        leave = std::min(leave, middle + reach);
    }
    return enter < leave && enter > 0.0f ? enter : kMiss;
}

/// The first root of a t^2 + 2 b t + c = 0, or kMiss.
float first_root(float a, float b, float c) {
    const float discriminant = b * b - a * c;
    return discriminant <= 0.0f || a <= 0.0f ? kMiss : (-b - std::sqrt(discriminant)) / a;
}

float hit_sphere(const cv::Vec3f& origin, const cv::Vec3f& direction) {
    const float t = first_root(direction.dot(direction), origin.dot(direction), origin.dot(origin) - 1.0f);
    return t > 0.0f ? t : kMiss;
}

/// The cylinder x^2 + z^2 <= 1, -1 <= y <= 1.
float hit_cylinder(const cv::Vec3f& o, const cv::Vec3f& d) {
    const float side =
        first_root(d[0] * d[0] + d[2] * d[2], o[0] * d[0] + o[2] * d[2], o[0] * o[0] + o[2] * o[2] - 1.0f);
    if (side > 0.0f && side < kMiss && std::abs(o[1] + side * d[1]) <= 1.0f) return side;
    const float cap = ((o[1] > 0.0f ? 1.0f : -1.0f) - o[1]) / d[1];
    const float x = o[0] + cap * d[0], z = o[2] + cap * d[2];
    return cap > 0.0f && std::abs(o[1]) > 1.0f && x * x + z * z <= 1.0f ? cap : kMiss;
}

float hit_unit(Form form, const cv::Vec3f& origin, const cv::Vec3f& direction) {
    if (form == Form::box) return hit_cube(origin, direction);
    return form == Form::ellipsoid ? hit_sphere(origin, direction) : hit_cylinder(origin, direction);
}

/// The outward gradient where a ray in `direction` meets the unit form at p. Near an edge p belongs to two
/// faces up to rounding; only a face towards the ray can be the right one.
cv::Vec3f outward(Form form, const cv::Vec3f& p, const cv::Vec3f& direction) {
    if (form == Form::ellipsoid) return p;
    if (form == Form::cylinder) {
        const bool cap = p[1] * direction[1] < 0.0f && p[1] * p[1] >= p[0] * p[0] + p[2] * p[2];
        return cap ? cv::Vec3f(0.0f, p[1], 0.0f) : cv::Vec3f(p[0], 0.0f, p[2]);
    }
    int face = -1;
    for (int i = 0; i < 3; ++i)
        if (p[i] * direction[i] < 0.0f && (face < 0 || std::abs(p[i]) > std::abs(p[face]))) face = i;
    cv::Vec3f normal(0, 0, 0);
    normal[std::max(face, 0)] = p[std::max(face, 0)];
    return normal;
}

}  // namespace

Tracer::Tracer(const Scene& scene, int width, int height) : scene_(scene) {
    const Intrinsics intrinsics(width, height);
    fx_ = intrinsics.fx, fy_ = intrinsics.fy, cx_ = intrinsics.cx, cy_ = intrinsics.cy;
    shapes_.reserve(scene.shapes.size());
    for (const Shape& shape : scene.shapes) shapes_.push_back(prepare(shape, width, height));
}

Tracer::Prepared Tracer::prepare(const Shape& shape, int width, int height) const {
    const float c = std::cos(shape.yaw), s = std::sin(shape.yaw);
    const cv::Vec3f& h = shape.half;
    Prepared prepared;
    prepared.form = shape.form;
    prepared.to_unit = {c / h[0], 0, -s / h[0], 0, 1 / h[1], 0, s / h[2], 0, c / h[2]};
    prepared.camera_to_unit = prepared.to_unit * scene_.camera.to_world;
    prepared.camera = prepared.to_unit * (scene_.camera.position - shape.centre);
    prepared.lamp = prepared.to_unit * (scene_.lamp - shape.centre);
    prepared.bounds = bounds_of(shape);
    prepared.radius = static_cast<float>(cv::norm(h));
    prepared.pixels = pixels_of(shape, width, height);
    return prepared;
}

PixelBox Tracer::pixels_of(const Shape& shape, int width, int height) const {
    constexpr float kNear = 0.05f;
    float low_x = kMiss, low_y = kMiss, high_x = -kMiss, high_y = -kMiss;
    int behind = 0;
    for (int corner = 0; corner < 8; ++corner) {
        const cv::Vec3f& h = shape.half;
        const cv::Vec3f offset(corner & 1 ? h[0] : -h[0], corner & 2 ? h[1] : -h[1],
                               corner & 4 ? h[2] : -h[2]);
        const cv::Vec3f world = shape.centre + turned(offset, shape.yaw) - scene_.camera.position;
        const cv::Vec3f p = scene_.camera.to_world.t() * world;
        if (p[2] < kNear) {
            ++behind;
            continue;
        }
        const float x = p[0] / p[2] * fx_ + cx_, y = p[1] / p[2] * fy_ + cy_;
        low_x = std::min(low_x, x), high_x = std::max(high_x, x);
        low_y = std::min(low_y, y), high_y = std::max(high_y, y);
    }
    if (behind == 8) return {0, 0, 0, 0};
    if (behind > 0) return {0, 0, width, height};
    const auto pixel = [](float value, int size) {
        return static_cast<int>(std::clamp(value, 0.0f, static_cast<float>(size)));
    };
    return {pixel(std::floor(low_x), width), pixel(std::floor(low_y), height),
            pixel(std::ceil(high_x) + 1, width), pixel(std::ceil(high_y) + 1, height)};
}

void Tracer::visible_in(const PixelBox& box, std::vector<int>& shapes) const {
    shapes.clear();
    for (size_t i = 0; i < shapes_.size(); ++i) {
        const PixelBox& seen = shapes_[i].pixels;
        if (seen.left < box.right && box.left < seen.right && seen.top < box.bottom && box.top < seen.bottom)
            shapes.push_back(static_cast<int>(i));
    }
}

void Tracer::shading(const Bounds& points, std::vector<int>& shapes) const {
    shapes.clear();
    const cv::Vec3f middle = (points.low + points.high) * 0.5f, path = middle - scene_.lamp;
    const float spread = static_cast<float>(cv::norm(points.high - middle));
    for (size_t i = 0; i < shapes_.size(); ++i) {
        const cv::Vec3f offset = scene_.shapes[i].centre - scene_.lamp;
        const float along = std::clamp(offset.dot(path) / path.dot(path), 0.0f, 1.0f);
        const cv::Vec3f aside = offset - path * along;
        const float reach = shapes_[i].radius + spread;
        if (aside.dot(aside) <= reach * reach && between_lamp_and(points, shapes_[i].bounds))
            shapes.push_back(static_cast<int>(i));
    }
}

bool Tracer::between_lamp_and(const Bounds& points, const Bounds& shape) const {
    for (int axis = 0; axis < 3; ++axis)
        if (shape.low[axis] > std::max(points.high[axis], scene_.lamp[axis]) ||
            shape.high[axis] < std::min(points.low[axis], scene_.lamp[axis]))
            return false;
    return true;
}

Hit Tracer::closest(int x, int y, const std::vector<int>& shapes) const {
    const cv::Vec3f ray = this->ray(x, y);
    const cv::Vec3f direction = scene_.camera.to_world * ray;
    Hit hit{kMiss, -1, 0};
    constexpr int kSurfaceOfAxis[3] = {0, 2, 4};
    for (int i = 0; i < 3; ++i) {
        const bool up = direction[i] > 0.0f;
        const float t = ((up ? scene_.size[i] : 0.0f) - scene_.camera.position[i]) / direction[i];
        if (t > 0.0f && t < hit.depth) hit = {t, -1, kSurfaceOfAxis[i] + (up ? 1 : 0)};
    }
    for (const int index : shapes) {
        const Prepared& shape = shapes_[index];
        const PixelBox& box = shape.pixels;
        if (x < box.left || x >= box.right || y < box.top || y >= box.bottom) continue;
        const float t = hit_unit(shape.form, shape.camera, shape.camera_to_unit * ray);
        if (t < hit.depth) hit = {t, index, 0};
    }
    return hit;
}

bool Tracer::in_shadow(const cv::Vec3f& position, const std::vector<int>& shapes) const {
    const cv::Vec3f path = position - scene_.lamp;
    for (const int index : shapes) {
        const Prepared& shape = shapes_[index];
        if (hit_unit(shape.form, shape.lamp, shape.to_unit * path) < 0.998f) return true;
    }
    return false;
}

SurfacePoint Tracer::surface_at(const cv::Vec3f& ray, const Hit& hit) const {
    SurfacePoint point;
    point.position = scene_.camera.position + scene_.camera.to_world * ray * hit.depth;
    cv::Vec3f local = point.position, axis(0, 0, 0);
    if (hit.shape < 0) {
        axis[hit.surface / 2] = hit.surface % 2 == 0 ? 1.0f : -1.0f;
        point.normal = axis;
        point.label = hit.surface == 2 ? Label::floor : hit.surface == 3 ? Label::ceiling : Label::wall;
        point.material = &scene_.surfaces[hit.surface];
    } else {
        const Prepared& shape = shapes_[hit.shape];
        const Shape& source = scene_.shapes[hit.shape];
        const cv::Vec3f direction = shape.camera_to_unit * ray, unit = shape.camera + direction * hit.depth;
        axis = outward(shape.form, unit, direction);
        point.normal = cv::normalize(shape.to_unit.t() * axis);
        point.label = source.label;
        point.material = &source.material;
        local = unit.mul(source.half);
    }
    // Textures lie in the plane of a face; round things are cut out of a solid pattern.
    const bool sideways = std::abs(axis[0]) > std::abs(axis[1]) && std::abs(axis[0]) > std::abs(axis[2]);
    const bool upwards = std::abs(axis[1]) > std::abs(axis[0]) && std::abs(axis[1]) > std::abs(axis[2]);
    const bool round = hit.shape >= 0 && shapes_[hit.shape].form != Form::box;
    point.u = round ? local[0] + 0.7f * local[2] : sideways ? local[2] : local[0];
    point.v = upwards && !round ? local[2] : local[1];
    return point;
}

}  // namespace mtlprune::rooms
