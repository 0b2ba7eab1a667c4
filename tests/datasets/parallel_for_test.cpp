#include "datasets/pipeline/parallel_for.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/error.h"

namespace mtlprune::parallel_for_test {
namespace {

TEST(ParallelFor, DoesEveryPieceOnce) {
    for (const int threads : {0, 1, 4, 100}) {
        std::vector<std::atomic<int>> calls(37);
        parallel_for(37, threads, [&](int64_t i) { ++calls[i]; });
        for (const auto& count : calls) EXPECT_EQ(count, 1) << threads;
    }
    parallel_for(0, 4, [](int64_t) { FAIL(); });
}

TEST(ParallelFor, RethrowsAndStops) {
    for (const int threads : {1, 4}) {
        std::atomic<int> calls = 0;
        const auto work = [&](int64_t) {
            ++calls;
            throw Error("broken");
        };
        EXPECT_THROW(parallel_for(1000, threads, work), Error);
        EXPECT_LE(calls, threads);
    }
}

}  // namespace
}  // namespace mtlprune::parallel_for_test
