#include "pruning/coupling/union_find.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace mtlprune::union_find_test {
namespace {

TEST(UnionFind, FirstLabelAfterTheFixedOneIsOne) {
    UnionFind sets;
    EXPECT_EQ(sets.add(3), 1);
    EXPECT_EQ(sets.add(2), 4);
    EXPECT_EQ(sets.size(), 6);
    EXPECT_FALSE(sets.same(1, 2));
}

TEST(UnionFind, AgreesWithRelabellingOnRandomJoins) {
    constexpr int64_t kLabels = 200;
    UnionFind sets;
    const Label first = sets.add(kLabels);
    std::vector<int64_t> expected(kLabels);
    for (int64_t i = 0; i < kLabels; ++i) expected[i] = i;
    Random random(5);
    for (int step = 0; step < 150; ++step) {
        const auto a = static_cast<int64_t>(random.below(kLabels)),
                   b = static_cast<int64_t>(random.below(kLabels));
        sets.join(first + a, first + b, "");
        const int64_t from = expected[b], to = expected[a];
        for (auto& value : expected)
            if (value == from) value = to;
    }
    for (int64_t i = 0; i < kLabels; ++i)
        for (int64_t j = 0; j < kLabels; ++j)
            ASSERT_EQ(sets.same(first + i, first + j), expected[i] == expected[j]) << i << " and " << j;
}

TEST(UnionFind, FrozenIsInheritedInBothDirections) {
    UnionFind sets;
    const Label a = sets.add(5);
    sets.freeze(a, "because");
    sets.join(a + 1, a, "");
    sets.join(a + 2, a + 1, "");
    EXPECT_TRUE(sets.frozen(a + 2));
    EXPECT_EQ(sets.reason(a + 2), "because");
    sets.join(a + 3, a + 4, "");
    EXPECT_FALSE(sets.frozen(a + 4));
}

TEST(UnionFind, JoiningWithTheFixedLabelFreezesButDoesNotUnite) {
    UnionFind sets;
    const Label a = sets.add(2);
    sets.join(a, kFixedLabel, "input 0");
    sets.join(kFixedLabel, a + 1, "input 1");
    EXPECT_FALSE(sets.same(a, a + 1));
    EXPECT_EQ(sets.reason(a), "input 0");
    EXPECT_EQ(sets.reason(a + 1), "input 1");
    EXPECT_TRUE(sets.frozen(kFixedLabel));
}

TEST(UnionFind, TheFirstReasonStays) {
    UnionFind sets;
    const Label a = sets.add(2);
    sets.freeze(a, "first");
    sets.freeze(a, "second");
    EXPECT_EQ(sets.reason(a), "first");
    sets.freeze(a + 1, "third");
    sets.join(a, a + 1, "");
    EXPECT_EQ(sets.reason(a + 1), "first");
}

}  // namespace
}  // namespace mtlprune::union_find_test
