// The option `width` of backbones.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace mtlprune {

/// `full` times `width`, rounded, at least 1. Throws Error unless the width is positive.
inline int64_t scaled_channels(const std::string& backbone, int64_t full, double width) {
    if (!(width > 0))
        throw Error("backbone " + backbone, "width", "a number above 0", fmt::format("{}", width));
    return std::max<int64_t>(1, std::llround(width * static_cast<double>(full)));
}

}  // namespace mtlprune
