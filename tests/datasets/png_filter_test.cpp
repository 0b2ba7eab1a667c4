#include "datasets/codecs/png_filter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "base/random.h"

namespace mtlprune::png_filter_test {
namespace {

/// The predictor of the PNG specification, section 9.4, in its own words.
int paeth_predictor(int a, int b, int c) {
    const int p = a + b - c;
    const int pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
    if (pa <= pb && pa <= pc) return a;
    if (pb <= pc) return b;
    return c;
}

int prediction(PngFilter filter, int a, int b, int c) {
    switch (filter) {
        case PngFilter::none:
            return 0;
        case PngFilter::sub:
            return a;
        case PngFilter::up:
            return b;
        case PngFilter::average:
            return (a + b) / 2;
        case PngFilter::paeth:
            return paeth_predictor(a, b, c);
    }
    return 0;
}

/// What an encoder writes for `row` (in file order) under `above`.
std::vector<uint8_t> filtered(PngFilter filter, int channels, const std::vector<uint8_t>& row,
                              const std::vector<uint8_t>& above) {
    std::vector<uint8_t> coded(row.size() + 1);
    for (int i = 0; i < static_cast<int>(row.size()); ++i) {
        const int a = i < channels ? 0 : row[i - channels], c = i < channels ? 0 : above[i - channels];
        coded[i] = static_cast<uint8_t>(row[i] - prediction(filter, a, above[i], c));
    }
    return coded;
}

std::vector<uint8_t> random_row(int64_t bytes, uint64_t key) {
    Random random(key);
    std::vector<uint8_t> row(bytes);
    const bool extreme = key % 2 == 0;  // sums and differences at the ends of the range
    for (auto& value : row) value = static_cast<uint8_t>(extreme ? 255 * random.below(2) : random.below(256));
    return row;
}

/// RGB <-> BGR.
std::vector<uint8_t> swapped(std::vector<uint8_t> row) {
    for (size_t i = 0; i + 2 < row.size(); i += 3) std::swap(row[i], row[i + 2]);
    return row;
}

class PngFilterTest : public testing::TestWithParam<int> {};

TEST_P(PngFilterTest, RestoresGreyRows) {
    const auto filter = static_cast<PngFilter>(GetParam());
    for (uint64_t key = 0; key < 20; ++key) {
        const int64_t width = 1 + static_cast<int64_t>(key) * 3;
        const auto row = random_row(width, key), above = random_row(width, key + 1000 + key / 2);
        std::vector<uint8_t> restored(width);
        undo_png_filter(filter, 1, width, filtered(filter, 1, row, above).data(), above.data(),
                        restored.data());
        EXPECT_EQ(restored, row);
    }
}

TEST_P(PngFilterTest, RestoresColourRowsAsBgr) {
    const auto filter = static_cast<PngFilter>(GetParam());
    for (uint64_t key = 0; key < 20; ++key) {
        const int64_t width = 1 + static_cast<int64_t>(key) * 3;
        const auto row = random_row(3 * width, key), above = random_row(3 * width, key + 1000 + key / 2);
        auto above_bgr = swapped(above);
        above_bgr.push_back(0);
        std::vector<uint8_t> restored(3 * width + 1, 77);
        undo_png_filter(filter, 3, width, filtered(filter, 3, row, above).data(), above_bgr.data(),
                        restored.data());
        EXPECT_EQ(restored.back(), 77) << "wrote beyond the row";
        restored.pop_back();
        EXPECT_EQ(restored, swapped(row));
    }
}

TEST_P(PngFilterTest, TakesZerosAboveTheFirstRow) {
    const auto filter = static_cast<PngFilter>(GetParam());
    const auto row = random_row(30, 5);
    std::vector<uint8_t> restored(30);
    undo_png_filter(filter, 3, 10, filtered(filter, 3, row, std::vector<uint8_t>(30)).data(), nullptr,
                    restored.data());
    EXPECT_EQ(restored, swapped(row));
}

INSTANTIATE_TEST_SUITE_P(AllFilters, PngFilterTest, testing::Range(0, 5));

}  // namespace
}  // namespace mtlprune::png_filter_test
