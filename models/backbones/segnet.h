// Which map of the backbone segnet is which.
#pragma once

#include <cstddef>

namespace mtlprune {

constexpr size_t kSegNetStages = 5;

/// Position among the maps. Encoder stages are numbered from the finest, decoder stages from the coarsest;
/// "first" and "last" are outputs of a stage's convolutions.
struct SegNetEncoderMaps {
    explicit SegNetEncoderMaps(size_t stage) : first(3 * stage), last(first + 1), pooled(first + 2) {}
    size_t first, last, pooled;
};
struct SegNetDecoderMaps {
    explicit SegNetDecoderMaps(size_t stage)
        : unpooled(3 * (kSegNetStages + stage)), first(unpooled + 1), last(unpooled + 2) {}
    size_t unpooled, first, last;
};

}  // namespace mtlprune
