// Procedural surface colours. Every class draws from the same palette and patterns, so colour does not name a
// class.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>

#include "base/random.h"

namespace mtlprune::rooms {

enum class Pattern { plain, noise, stripes, checker, wood, tiles };

struct Material {
    Pattern pattern = Pattern::plain;
    cv::Vec3f first;      ///< linear reflectance, BGR, 0..1
    cv::Vec3f second;     ///< the pattern's other colour
    float period = 0.3f;  ///< metres
    uint32_t seed = 0;    ///< selects the noise
    bool turned = false;  ///< the pattern runs along v instead of u
};

/// A material whose colours come from the common palette; the pattern's period lies in [smallest, largest)
/// metres.
Material random_material(Random& random, float smallest = 0.04f, float largest = 0.6f);

/// The reflectance at surface coordinates (u, v) in metres. `footprint` is the width of a pixel on the
/// surface in metres; detail finer than it fades to its mean.
cv::Vec3f reflectance(const Material& material, float u, float v, float footprint);

}  // namespace mtlprune::rooms
