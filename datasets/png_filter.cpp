#include "datasets/png_filter.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace mtlprune {
namespace {

// Lets a pixel's channels go through the filters side by side: the chain from pixel to pixel is what costs
// time.
using Lanes = int16_t __attribute__((vector_size(8)));
using Bytes = uint8_t __attribute__((vector_size(4)));

Lanes load(const uint8_t* pixel) {
    Bytes bytes;
    std::memcpy(&bytes, pixel, sizeof bytes);
    return __builtin_convertvector(bytes, Lanes);
}

Lanes load_swapped(const uint8_t* pixel) {
    constexpr Lanes kOrder = {2, 1, 0, 3};
    return __builtin_shuffle(load(pixel), kOrder);
}

void store(Lanes pixel, uint8_t* row) {
    const Bytes bytes = __builtin_convertvector(pixel, Bytes);
    std::memcpy(row, &bytes, 3);
}

Lanes magnitude(Lanes x) {
    return x > 0 ? x : -x;
}

Lanes paeth(Lanes left, Lanes above, Lanes corner) {
    const Lanes to_left = above - corner, to_above = left - corner;
    const Lanes a = magnitude(to_left), b = magnitude(to_above), c = magnitude(to_left + to_above);
    const Lanes upper = b <= c ? above : corner;
    return ((a <= b) & (a <= c)) ? left : upper;
}

int paeth(int left, int above, int corner) {
    const int a = std::abs(above - corner), b = std::abs(left - corner),
              c = std::abs(left + above - 2 * corner);
    if (a <= b && a <= c) return left;
    return b <= c ? above : corner;
}

template <typename Predict>
void restore_colour(int64_t width, const uint8_t* coded, const uint8_t* above, uint8_t* row,
                    const Predict& predict) {
    constexpr Lanes kByte = {255, 255, 255, 255};
    Lanes left = {}, corner = {};
    for (int64_t i = 0; i < 3 * width; i += 3) {
        const Lanes up = load(above + i);
        left = (load_swapped(coded + i) + predict(left, up, corner)) & kByte;
        corner = up;
        store(left, row + i);
    }
}

void undo_colour(PngFilter filter, int64_t width, const uint8_t* coded, const uint8_t* above, uint8_t* row) {
    switch (filter) {
        case PngFilter::none:
            return restore_colour(width, coded, above, row, [](Lanes, Lanes, Lanes) { return Lanes{}; });
        case PngFilter::sub:
            return restore_colour(width, coded, above, row, [](Lanes left, Lanes, Lanes) { return left; });
        case PngFilter::up:
            return restore_colour(width, coded, above, row, [](Lanes, Lanes up, Lanes) { return up; });
        case PngFilter::average:
            return restore_colour(width, coded, above, row,
                                  [](Lanes left, Lanes up, Lanes) { return (left + up) >> 1; });
        case PngFilter::paeth:
            return restore_colour(width, coded, above, row,
                                  [](Lanes left, Lanes up, Lanes corner) { return paeth(left, up, corner); });
    }
}

template <typename Predict>
void restore_grey(int64_t width, const uint8_t* coded, const uint8_t* above, uint8_t* row,
                  const Predict& predict) {
    int left = 0, corner = 0;
    for (int64_t i = 0; i < width; ++i) {
        left = (coded[i] + predict(left, above[i], corner)) & 255;
        corner = above[i];
        row[i] = static_cast<uint8_t>(left);
    }
}

void undo_grey(PngFilter filter, int64_t width, const uint8_t* coded, const uint8_t* above, uint8_t* row) {
    switch (filter) {
        case PngFilter::none:
            std::memcpy(row, coded, width);
            return;
        case PngFilter::sub:
            return restore_grey(width, coded, above, row, [](int left, int, int) { return left; });
        case PngFilter::up:
            return restore_grey(width, coded, above, row, [](int, int up, int) { return up; });
        case PngFilter::average:
            return restore_grey(width, coded, above, row,
                                [](int left, int up, int) { return (left + up) >> 1; });
        case PngFilter::paeth:
            return restore_grey(width, coded, above, row,
                                [](int left, int up, int corner) { return paeth(left, up, corner); });
    }
}

}  // namespace

void undo_png_filter(PngFilter filter, int channels, int64_t width, const uint8_t* coded,
                     const uint8_t* above, uint8_t* row) {
    thread_local std::vector<uint8_t> zeros;
    if (above == nullptr) {
        zeros.resize(std::max<size_t>(zeros.size(), channels * width + 1));
        above = zeros.data();
    }
    if (channels == 3)
        undo_colour(filter, width, coded, above, row);
    else
        undo_grey(filter, width, coded, above, row);
}

}  // namespace mtlprune
