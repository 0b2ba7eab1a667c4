// Benchmark programs that answer at once, with times as asked for.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/atomic_file.h"
#include "bench/compare/gate_suite.h"
#include "tests/bench/results_text.h"

namespace mtlprune::bench {

/// A script in `folder` that understands what InterleavedRounds asks of a program. Benchmarks "one" and "two"
/// take `milliseconds`, and MTLPRUNE_BENCH_PLANT's share more, with noise of 0.1 % that depends on the
/// process.
inline void write_program(const std::filesystem::path& folder, double milliseconds,
                          const std::string& before_anything = "") {
    make_folder(folder);
    const auto path = folder / "bench_fake";
    std::ofstream(path) << fmt::format(R"SCRIPT(#!/bin/sh
{1}
case "$*" in *--benchmark_list_tests*) echo one; echo two; exit 0 ;; esac
awk -v plant="${{MTLPRUNE_BENCH_PLANT:-0}}" -v seed="$$" 'BEGIN {{
    srand(seed)
    printf "{{\"context\": {{\"host_name\": \"a\", \"planted\": \"%s\"}}, \"benchmarks\": [", plant
    split("one two", names, " ")
    for (i = 1; i <= 2; ++i) for (r = 0; r < 2; ++r)
        printf "%s{{\"name\": \"%s\", \"run_name\": \"%s\", \"run_type\": \"iteration\", \"repetition_index\": %d, \"real_time\": %.9f, \"cpu_time\": %.9f, \"time_unit\": \"ms\"}}",
            (i + r > 1 ? ", " : ""), names[i], names[i], r, 1, {0} * (1 + plant) * (1 + 0.001 * rand())
    print "]}}"
}}'
)SCRIPT",
                                       milliseconds, before_anything);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

inline GateSuite fake_suite() {
    SuiteProgram program;
    program.program = "bench_fake";
    program.filter = ".*";
    program.metric.name = "cpu_time";
    return {{}, {program}};
}

}  // namespace mtlprune::bench
