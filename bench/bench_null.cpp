// What the harness itself takes: runs of nothing, timed like everything else.
#include "bench/kit/null_subject.h"
#include "bench/kit/program.h"

#include "base/error.h"

namespace mtlprune {
namespace {

void harness(benchmark::State& state) {
    const auto summary = null_latencies();
    for (auto _ : state) state.SetIterationTime(summary.p50);
    state.counters["p99_us"] = 1e6 * summary.p99;
}

bool register_null(const std::vector<std::string>& arguments) {
    if (!arguments.empty())
        throw Error("bench_null", "arguments", "no others than Google Benchmark's", arguments.front());
    benchmark::RegisterBenchmark("null", harness)
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
    return true;
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    return mtlprune::run_benchmarks(argc, argv, mtlprune::register_null);
}
