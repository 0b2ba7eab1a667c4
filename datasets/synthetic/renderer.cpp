#include "datasets/synthetic/renderer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/synthetic/tracer.h"

namespace mtlprune::rooms {
namespace {

constexpr int kTile = 16;

/// Light that arrives from everywhere, weaker in the corners of the room.
float ambient(const Scene& scene, const SurfacePoint& point) {
    float open = 1.0f;
    for (int i = 0; i < 3; ++i) {
        if (std::abs(point.normal[i]) > 0.9f) continue;
        const float distance = std::min(point.position[i], scene.size[i] - point.position[i]);
        const float near = std::max(0.0f, 1.0f - distance / 0.5f);
        open -= 0.3f * near * near;
    }
    return 0.30f * open * (1.0f + 0.15f * point.normal[1]);
}

cv::Vec3f shade(const Scene& scene, const Tracer& tracer, const SurfacePoint& point, const cv::Vec3f& colour,
                const std::vector<int>& occluders) {
    const cv::Vec3f to_lamp = scene.lamp - point.position;
    const float square = to_lamp.dot(to_lamp), facing = to_lamp.dot(point.normal);
    const float fill = 0.5f + 0.5f * scene.fill.dot(point.normal);
    const float even = ambient(scene, point) + 0.16f * fill * fill;
    cv::Vec3f light(even, even, even);
    if (facing > 0.0f && !tracer.in_shadow(point.position + point.normal * 0.004f, occluders)) {
        const float falloff = 2.6f / (1.5f + square);
        light += scene.lamp_colour * (falloff * facing / std::sqrt(square));
    }
    return colour.mul(light);
}

class Renderer {
  public:
    Renderer(const Scene& scene, int width, int height)
        : scene_(scene),
          tracer_(scene, width, height),
          width_(width),
          height_(height),
          linear_(height, width, CV_32FC3) {
        rendering_.labels.create(height, width, CV_8UC1);
        rendering_.depth.create(height, width, CV_32FC1);
        rendering_.normals.create(height, width, CV_32FC3);
    }

    Rendering run(Random noise) {
        for (int top = 0; top < height_; top += kTile)
            for (int left = 0; left < width_; left += kTile)
                render_tile({left, top, std::min(left + kTile, width_), std::min(top + kTile, height_)});
        develop(noise);
        return std::move(rendering_);
    }

  private:
    void render_tile(const PixelBox& box) {
        tracer_.visible_in(box, candidates_);
        Bounds bounds{{1e9f, 1e9f, 1e9f}, {-1e9f, -1e9f, -1e9f}};
        size_t next = 0;
        for (int y = box.top; y < box.bottom; ++y) {
            for (int x = box.left; x < box.right; ++x) {
                const cv::Vec3f ray = tracer_.ray(x, y);
                const Hit hit = tracer_.closest(x, y, candidates_);
                const SurfacePoint point = points_[next++] = tracer_.surface_at(ray, hit);
                for (int i = 0; i < 3; ++i) {
                    bounds.low[i] = std::min(bounds.low[i], point.position[i]);
                    bounds.high[i] = std::max(bounds.high[i], point.position[i]);
                }
                rendering_.depth.at<float>(y, x) = hit.depth;
                rendering_.labels.at<uint8_t>(y, x) = static_cast<uint8_t>(point.label);
                rendering_.normals.at<cv::Vec3f>(y, x) = scene_.camera.to_world.t() * point.normal;
            }
        }
        tracer_.shading(bounds, candidates_);
        next = 0;
        for (int y = box.top; y < box.bottom; ++y)
            for (int x = box.left; x < box.right; ++x) shade_pixel(points_[next++], x, y);
    }

    void shade_pixel(const SurfacePoint& point, int x, int y) {
        const cv::Vec3f ray = tracer_.ray(x, y);
        const float slant =
            std::abs(rendering_.normals.at<cv::Vec3f>(y, x).dot(ray)) / std::sqrt(ray.dot(ray));
        const float footprint =
            rendering_.depth.at<float>(y, x) * tracer_.pixel_width() / std::max(slant, 0.15f);
        const cv::Vec3f colour = reflectance(*point.material, point.u, point.v, footprint);
        linear_.at<cv::Vec3f>(y, x) = shade(scene_, tracer_, point, colour, candidates_);
    }

    /// Exposure, lens blur, gamma and sensor noise.
    void develop(Random noise) {
        const cv::Scalar mean = cv::mean(linear_);
        const float exposure = 0.24f * 3.0f / static_cast<float>(mean[0] + mean[1] + mean[2]);
        const cv::Matx13f lens(0.11f, 0.78f, 0.11f);
        cv::Mat blurred;
        cv::sepFilter2D(linear_, blurred, CV_32F, lens, lens, {-1, -1}, 0, cv::BORDER_REPLICATE);
        rendering_.clean.create(height_, width_, CV_8UC3);
        rendering_.image.create(height_, width_, CV_8UC3);
        const std::array<float, 1025>& gamma = gamma_table();
        const float strength = static_cast<float>(noise.uniform(0.6, 1.6));
        for (int y = 0; y < height_; ++y) {
            const float* source = blurred.ptr<float>(y);
            uint8_t *clean = rendering_.clean.ptr<uint8_t>(y), *image = rendering_.image.ptr<uint8_t>(y);
            for (int x = 0; x < width_; ++x) {
                uint64_t bits = noise.bits();
                for (int c = 0; c < 3; ++c, ++source, bits >>= 21) {
                    // The number of ones among 21 bits is nearly normal: mean 10.5, deviation 2.29.
                    const float jitter = static_cast<float>(std::popcount(bits & 0x1fffff)) - 10.5f;
                    const float value = gamma[static_cast<int>(std::min(1.0f, *source * exposure) * 1024.0f)];
                    *clean++ = cv::saturate_cast<uint8_t>(value);
                    *image++ = cv::saturate_cast<uint8_t>(value + strength * jitter);
                }
            }
        }
    }

    static const std::array<float, 1025>& gamma_table() {
        static const std::array<float, 1025> table = [] {
            std::array<float, 1025> values;
            for (int i = 0; i <= 1024; ++i)
                values[i] = 255.0f * std::pow((static_cast<float>(i) + 0.5f) / 1025.0f, 1.0f / 2.2f);
            return values;
        }();
        return table;
    }

    const Scene& scene_;
    Tracer tracer_;
    int width_, height_;
    cv::Mat linear_;
    Rendering rendering_;
    std::vector<int> candidates_;
    std::array<SurfacePoint, kTile * kTile> points_;
};

}  // namespace

Intrinsics::Intrinsics(int width, int height)
    : fx(518.858f * static_cast<float>(width) / 640.0f),
      fy(519.470f * static_cast<float>(height) / 480.0f),
      cx((325.582f + 0.5f) * static_cast<float>(width) / 640.0f - 0.5f),
      cy((253.736f + 0.5f) * static_cast<float>(height) / 480.0f - 0.5f) {}

Rendering render(const Scene& scene, int width, int height, Random noise) {
    return Renderer(scene, width, height).run(noise);
}

}  // namespace mtlprune::rooms
