#include "bench/kit/planted_slowdown.h"

#include <gtest/gtest.h>

#include "tests/bad_input.h"

namespace mtlprune::planted_slowdown_test {
namespace {

using Clock = std::chrono::steady_clock;

/// Sets MTLPRUNE_BENCH_PLANT for one test.
class Plant {
  public:
    explicit Plant(const char* text) { ::setenv(kPlantVariable, text, 1); }
    ~Plant() { ::unsetenv(kPlantVariable); }
    Plant(const Plant&) = delete;
    Plant& operator=(const Plant&) = delete;
};

struct Measured {
    int64_t iterations = 0;
    double body = 0;   ///< seconds within the loop's body
    double whole = 0;  ///< seconds of the loop
};

Measured measured;

void compute(benchmark::State& state) {
    measured = {};
    const auto start = Clock::now();
    for (auto _ : planted(state)) {
        const auto begin = Clock::now();
        while (Clock::now() - begin < std::chrono::microseconds(200)) {
        }
        ++measured.iterations;
        measured.body += std::chrono::duration<double>(Clock::now() - begin).count();
    }
    measured.whole = std::chrono::duration<double>(Clock::now() - start).count();
    state.SetItemsProcessed(state.iterations());
}

/// The loop within Google Benchmark, 50 iterations.
void run_loop() {
    static const bool registered = [] {
        benchmark::RegisterBenchmark("compute", compute)->Iterations(50);
        return true;
    }();
    EXPECT_TRUE(registered);
    struct Silent : benchmark::BenchmarkReporter {
        bool ReportContext(const Context&) override { return true; }
        void ReportRuns(const std::vector<Run>&) override {}
    } silent;
    benchmark::RunSpecifiedBenchmarks(&silent);
}

TEST(PlantedShare, IsReadStrictly) {
    ::unsetenv(kPlantVariable);
    EXPECT_EQ(planted_share(), 0);
    for (const auto& [text, share] : {std::pair{"0.05", 0.05}, std::pair{"0", 0.0}, std::pair{"1e-1", 0.1}}) {
        const Plant plant(text);
        EXPECT_EQ(planted_share(), share);
    }
    for (const char* text : {"", "5 %", "-0.1", "nan", "11", "0.05x"}) {
        const Plant plant(text);
        EXPECT_NE(error_of([] { planted_share(); }).find(kPlantVariable), std::string::npos) << text;
    }
}

TEST(PlantedLoop, AddsItsShareToEveryIteration) {
    // It computes until the share is reached, so the sum is a lower bound whatever else the machine does.
    const Plant plant("0.5");
    run_loop();
    EXPECT_EQ(measured.iterations, 50);
    EXPECT_GE(measured.whole, 1.5 * measured.body);
}

TEST(PlantedLoop, RunsAsOftenWithoutAPlant) {
    ::unsetenv(kPlantVariable);
    run_loop();
    EXPECT_EQ(measured.iterations, 50);
}

}  // namespace
}  // namespace mtlprune::planted_slowdown_test
