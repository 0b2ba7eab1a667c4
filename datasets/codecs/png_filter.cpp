#include "datasets/codecs/png_filter.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace mtlprune {
namespace {

// A colour pixel's three channels go through the filters side by side, as 16-bit lanes: the chain of
// operations from pixel to pixel is what costs time.
#ifdef __SSE2__
using Pixel = __m128i;

Pixel load(const uint8_t* pixel) {
    int32_t bytes = 0;
    std::memcpy(&bytes, pixel, sizeof bytes);
    return _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), _mm_setzero_si128());
}

Pixel load_swapped(const uint8_t* pixel) {
    return _mm_shufflelo_epi16(load(pixel), _MM_SHUFFLE(3, 0, 1, 2));
}

void store(Pixel pixel, int64_t bytes, uint8_t* row) {
    const int32_t packed = _mm_cvtsi128_si32(_mm_packus_epi16(pixel, pixel));
    std::memcpy(row, &packed, bytes);
}

Pixel zero() {
    return _mm_setzero_si128();
}
/// Modulo 256: the upper halves of the lanes stay 0.
Pixel add(Pixel a, Pixel b) {
    return _mm_add_epi8(a, b);
}
Pixel average(Pixel a, Pixel b) {
    return _mm_srli_epi16(_mm_add_epi16(a, b), 1);
}
Pixel magnitude(Pixel x) {
    return _mm_max_epi16(x, _mm_sub_epi16(_mm_setzero_si128(), x));
}
Pixel select(Pixel mask, Pixel a, Pixel b) {
    return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b));
}

Pixel paeth(Pixel left, Pixel above, Pixel corner) {
    const Pixel to_left = _mm_sub_epi16(above, corner), to_above = _mm_sub_epi16(left, corner);
    const Pixel a = magnitude(to_left), b = magnitude(to_above),
                c = magnitude(_mm_add_epi16(to_left, to_above));
    const Pixel smallest = _mm_min_epi16(_mm_min_epi16(a, b), c);
    const Pixel upper = select(_mm_cmpeq_epi16(smallest, b), above, corner);
    return select(_mm_cmpeq_epi16(smallest, a), left, upper);
}
#else
using Pixel = std::array<int, 3>;

template <typename Combine>
Pixel each(const Combine& combine) {
    return {combine(0), combine(1), combine(2)};
}

Pixel load(const uint8_t* pixel) {
    return {pixel[0], pixel[1], pixel[2]};
}
Pixel load_swapped(const uint8_t* pixel) {
    return {pixel[2], pixel[1], pixel[0]};
}
void store(const Pixel& pixel, int64_t, uint8_t* row) {
    for (int c = 0; c < 3; ++c) row[c] = static_cast<uint8_t>(pixel[c]);
}
Pixel zero() {
    return {};
}
Pixel add(const Pixel& a, const Pixel& b) {
    return each([&](int c) { return (a[c] + b[c]) & 255; });
}
Pixel average(const Pixel& a, const Pixel& b) {
    return each([&](int c) { return (a[c] + b[c]) >> 1; });
}
Pixel paeth(const Pixel& left, const Pixel& above, const Pixel& corner) {
    return each([&](int c) { return paeth_prediction(left[c], above[c], corner[c]); });
}
#endif

template <typename Predict>
void restore_colour(int64_t width, const uint8_t* coded, const uint8_t* above, uint8_t* row,
                    const Predict& predict) {
    Pixel left = zero(), corner = zero();
    const auto restore = [&](int64_t i, int64_t bytes) {
        const Pixel up = load(above + i);
        left = add(load_swapped(coded + i), predict(left, up, corner));
        corner = up;
        store(left, bytes, row + i);
    };
    const int64_t last = 3 * (width - 1);
    for (int64_t i = 0; i < last; i += 3)
        restore(i, 4);  // the fourth byte belongs to the next pixel, stored next
    restore(last, 3);
}

void undo_colour(PngFilter filter, int64_t width, const uint8_t* coded, const uint8_t* above, uint8_t* row) {
    switch (filter) {
        case PngFilter::none:
            return restore_colour(width, coded, above, row, [](Pixel, Pixel, Pixel) { return zero(); });
        case PngFilter::sub:
            return restore_colour(width, coded, above, row, [](Pixel left, Pixel, Pixel) { return left; });
        case PngFilter::up:
            return restore_colour(width, coded, above, row, [](Pixel, Pixel up, Pixel) { return up; });
        case PngFilter::average:
            return restore_colour(width, coded, above, row,
                                  [](Pixel left, Pixel up, Pixel) { return average(left, up); });
        case PngFilter::paeth:
            return restore_colour(width, coded, above, row,
                                  [](Pixel left, Pixel up, Pixel corner) { return paeth(left, up, corner); });
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
            return restore_grey(width, coded, above, row, [](int left, int up, int corner) {
                return paeth_prediction(left, up, corner);
            });
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
