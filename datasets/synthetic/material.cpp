#include "datasets/synthetic/material.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mtlprune::rooms {
namespace {

/// Muted interior paints, woods and fabrics, sRGB 0xRRGGBB.
constexpr std::array<uint32_t, 28> kPaints = {
    0xf2eee3, 0xe8e0cf, 0xd9cdb8, 0xcfd6d6, 0xb9c4c9, 0x9fb3b5, 0xa9b59c, 0x8c9a7b, 0xdcc7a1, 0xc9a66b,
    0xb07d4f, 0x8a5a3b, 0x6b4530, 0x4a3428, 0xc4825e, 0xa8553f, 0x7d3b34, 0xd4a5a0, 0xb77f86, 0x8e7a94,
    0x6c7a99, 0x4f6486, 0x34455c, 0x5f7f7a, 0x3f5a4d, 0x8f8f8f, 0x5b5b5b, 0x33363b};

cv::Vec3f paint(Random& random) {
    const uint32_t code = kPaints[random.below(kPaints.size())];
    const double brightness = random.uniform(0.75, 1.15);
    cv::Vec3f colour;
    for (int c = 0; c < 3; ++c) {
        const double srgb = static_cast<double>((code >> (8 * c)) & 0xff) / 255.0;
        const double tint = brightness * random.uniform(0.93, 1.07);
        colour[c] = static_cast<float>(std::min(0.95, std::pow(srgb, 2.2) * tint));
    }
    return colour;
}

float lattice(int x, int y, uint32_t seed) {
    uint32_t h = static_cast<uint32_t>(x) * 0x9e3779b1u ^ static_cast<uint32_t>(y) * 0x85ebca77u ^ seed;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    h = (h ^ (h >> 12)) * 0x297a2d39u;
    return static_cast<float>((h ^ (h >> 15)) >> 8) * 0x1.0p-24f;
}

/// Smooth noise in 0..1 with one lattice point per unit.
float smooth_noise(float x, float y, uint32_t seed) {
    const float floor_x = std::floor(x), floor_y = std::floor(y);
    const int ix = static_cast<int>(floor_x), iy = static_cast<int>(floor_y);
    float fx = x - floor_x, fy = y - floor_y;
    fx *= fx * (3.0f - 2.0f * fx);
    fy *= fy * (3.0f - 2.0f * fy);
    const float top = lattice(ix, iy, seed) * (1.0f - fx) + lattice(ix + 1, iy, seed) * fx;
    const float bottom = lattice(ix, iy + 1, seed) * (1.0f - fx) + lattice(ix + 1, iy + 1, seed) * fx;
    return top * (1.0f - fy) + bottom * fy;
}

/// 0 far from an integer, 0.5 at the distance `half_width` from it, 1 on it; the ramp is `blur` wide.
float line(float x, float half_width, float blur) {
    const float distance = std::abs(x - std::round(x));
    return std::clamp(0.5f + (half_width - distance) / blur, 0.0f, 1.0f);
}

float square_wave(float x, float blur) {
    return line(x, 0.25f, blur);
}

/// How much of the second colour shows, 0..1; `blur` is the pixel's width in periods.
float mixture(const Material& material, float u, float v, float blur) {
    switch (material.pattern) {
        case Pattern::plain:
            return 0.5f;
        case Pattern::noise: {
            const float coarse = smooth_noise(u, v, material.seed);
            return 0.65f * coarse + 0.35f * smooth_noise(3.1f * u, 3.1f * v, material.seed + 1);
        }
        case Pattern::stripes:
            return square_wave(u, blur);
        case Pattern::checker: {
            const float a = square_wave(u, blur), b = square_wave(v, blur);
            return a + b - 2.0f * a * b;
        }
        case Pattern::wood: {
            const float bent = u + 0.8f * smooth_noise(u, 0.12f * v, material.seed);
            const float grain = smooth_noise(9.0f * u, 0.5f * v, material.seed + 1);
            const float plank = line(0.4f * u, 0.012f, std::max(blur, 0.02f));
            return std::min(1.0f, 0.45f * line(bent, 0.25f, 0.5f) + 0.4f * grain + plank);
        }
        case Pattern::tiles: {
            const float tone = 0.25f * lattice(static_cast<int>(std::floor(u)),
                                               static_cast<int>(std::floor(v)), material.seed);
            return std::max(tone, std::max(line(u, 0.03f, blur), line(v, 0.03f, blur)));
        }
    }
    return 0.0f;
}

}  // namespace

Material random_material(Random& random, float smallest, float largest) {
    Material material;
    material.pattern = static_cast<Pattern>(random.below(6));
    material.first = paint(random);
    // Real surfaces rarely mix unrelated colours at full contrast.
    const float contrast = static_cast<float>(random.uniform(0.15, 0.7));
    material.second = material.first * (1.0f - contrast) + paint(random) * contrast;
    material.period = static_cast<float>(random.uniform(smallest, largest));
    material.seed = static_cast<uint32_t>(random.bits());
    material.turned = random.below(2) == 1;
    return material;
}

cv::Vec3f reflectance(const Material& material, float u, float v, float footprint) {
    if (material.turned) std::swap(u, v);
    const float frequency = 1.0f / material.period;
    const float blur = std::max(footprint * frequency, 0.01f);
    const float detail = 1.0f / (1.0f + blur * blur);
    const float share = 0.4f + (mixture(material, u * frequency, v * frequency, blur) - 0.4f) * detail;
    return material.first * (1.0f - share) + material.second * share;
}

}  // namespace mtlprune::rooms
