// What the kit says of the machine.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "bench/kit/context.h"
#include "bench/kit/machine_peak.h"
#include "bench/kit/memory_peak.h"

namespace mtlprune::machine_test {
namespace {

TEST(MemoryPeak, SeesWhatIsHeldOnTheWay) {
    constexpr int64_t kBytes = int64_t{64} << 20;
    const auto peak = peak_memory_of([] { torch::ones({kBytes / 4}); });
    if (!peak) GTEST_SKIP() << "this system does not say";
    EXPECT_GE(*peak, kBytes * 9 / 10);
    EXPECT_LE(*peak, kBytes * 2);
    EXPECT_LE(*peak_memory_of([] {}), kBytes / 4);
}

TEST(MachinePeak, IsMoreThanNothing) {
    const auto peak = measure_machine_peak(0.01);
    EXPECT_GT(peak.gemm, 1e8);
    EXPECT_GT(peak.convolution, 1e8);
    EXPECT_GT(peak.copy, 1e8);
    EXPECT_EQ(peak.flops(), std::max(peak.gemm, peak.convolution));
}

TEST(BenchmarkContext, SaysWhatResultsDependOn) {
    const auto context = benchmark_context();
    for (const char* key : {"revision", "libtorch", "blas", "compiler", "cpu", "gpu", "threads"}) {
        ASSERT_TRUE(context.contains(key)) << key;
        EXPECT_NE(context.at(key), "") << key;
    }
}

}  // namespace
}  // namespace mtlprune::machine_test
