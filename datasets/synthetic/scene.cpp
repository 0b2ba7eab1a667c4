#include "datasets/synthetic/scene.h"

#include <cmath>

namespace mtlprune::rooms {

cv::Vec3f turned(const cv::Vec3f& local, float yaw) {
    const float c = std::cos(yaw), s = std::sin(yaw);
    return {c * local[0] + s * local[2], local[1], c * local[2] - s * local[0]};
}

Bounds bounds_of(const Shape& shape) {
    const float c = std::abs(std::cos(shape.yaw)), s = std::abs(std::sin(shape.yaw));
    const cv::Vec3f& h = shape.half;
    const cv::Vec3f reach(c * h[0] + s * h[2], h[1], s * h[0] + c * h[2]);
    return {shape.centre - reach, shape.centre + reach};
}

Camera look_at(const cv::Vec3f& position, const cv::Vec3f& target, float roll) {
    const cv::Vec3f forward = cv::normalize(target - position);
    const cv::Vec3f right = cv::normalize(cv::Vec3f(0, -1, 0).cross(forward));
    const cv::Vec3f down = forward.cross(right);
    const float c = std::cos(roll), s = std::sin(roll);
    const cv::Vec3f x = c * right + s * down, y = c * down - s * right;
    return {position, cv::Matx33f(x[0], y[0], forward[0], x[1], y[1], forward[1], x[2], y[2], forward[2])};
}

}  // namespace mtlprune::rooms
