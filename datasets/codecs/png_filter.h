// The row filters of PNG (W3C PNG specification, section 9).
#pragma once

#include <cstdint>
#include <cstdlib>

namespace mtlprune {

enum class PngFilter : uint8_t { none, sub, up, average, paeth };

/// Restores one row of `width` pixels with 1 (grey) or 3 (RGB, written as BGR) 8-bit channels. `coded` are
/// the row's bytes without the filter byte, followed by at least one more readable byte; `above` is the
/// restored row above, BGR when colour, followed by at least one more readable byte, or null for the first
/// row.
void undo_png_filter(PngFilter filter, int channels, int64_t width, const uint8_t* coded,
                     const uint8_t* above, uint8_t* row);

/// The prediction of filter 4 from the values to the left, above and at the corner between them.
inline int paeth_prediction(int left, int above, int corner) {
    const int a = std::abs(above - corner), b = std::abs(left - corner),
              c = std::abs(left + above - 2 * corner);
    if (a <= b && a <= c) return left;
    return b <= c ? above : corner;
}

}  // namespace mtlprune
