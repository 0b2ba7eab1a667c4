#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace mtlprune::random_test {
namespace {

TEST(Random, IsSplitMix64) {
    // First outputs for state 0 of the published generator (Steele, Lea, Flood 2014; Vigna's splitmix64.c).
    Random random(0);
    EXPECT_EQ(random.bits(), 0xe220a8397b1dcdafULL);
    EXPECT_EQ(random.bits(), 0x6e789e6aa1b965f4ULL);
    EXPECT_EQ(random.bits(), 0x06c45d188009454fULL);
}

TEST(Random, KeysDifferInEveryPart) {
    std::set<uint64_t> keys;
    for (const uint64_t seed : {0, 1, 2})
        for (const Stream stream :
             {Stream::init, Stream::order, Stream::augmentation, Stream::calibration, Stream::method})
            for (const uint64_t a : {0, 1, 2})
                for (const uint64_t b : {0, 1, 2}) keys.insert(mix_key(seed, stream, a, b));
    EXPECT_EQ(keys.size(), 3u * 5 * 3 * 3);
    EXPECT_EQ(mix_key(5, Stream::order, 7), mix_key(5, Stream::order, 7, 0));
}

TEST(Random, UniformFillsItsRangeEvenly) {
    Random random(3, Stream::method);
    int counts[10] = {};
    for (int i = 0; i < 10000; ++i) {
        const double value = random.uniform(2.0, 4.0);
        ASSERT_GE(value, 2.0);
        ASSERT_LT(value, 4.0);
        ++counts[static_cast<int>((value - 2.0) * 5)];
    }
    for (const int count : counts) EXPECT_NEAR(count, 1000, 150);  // five standard deviations
}

TEST(Random, BelowIsEvenAndReachesBothEnds) {
    Random random(4, Stream::method);
    int counts[7] = {};
    for (int i = 0; i < 7000; ++i) {
        const uint64_t value = random.below(7);
        ASSERT_LT(value, 7u);
        ++counts[value];
    }
    for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
    EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
    Random random(5, Stream::method);
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < 20000; ++i) {
        const double value = random.normal();
        ASSERT_TRUE(std::isfinite(value));
        sum += value;
        squares += value * value;
    }
    EXPECT_NEAR(sum / 20000, 0.0, 0.035);  // five standard errors
    EXPECT_NEAR(squares / 20000, 1.0, 0.05);
}

TEST(Random, PermutationHoldsEveryIndexOnceAndEveryOrderAppears) {
    std::set<std::vector<int64_t>> orders;
    for (uint64_t key = 0; key < 100; ++key) {
        const auto order = permutation(3, Random(key, Stream::order));
        EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()), (std::set<int64_t>{0, 1, 2}));
        orders.insert(order);
    }
    EXPECT_EQ(orders.size(), 6u);
    EXPECT_EQ(permutation(50, Random(9)), permutation(50, Random(9)));
    EXPECT_TRUE(permutation(0, Random(9)).empty());
}

}  // namespace
}  // namespace mtlprune::random_test
