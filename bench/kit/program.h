// What every benchmark program does around its benchmarks.
#pragma once

#include <benchmark/benchmark.h>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "bench/kit/program_context.h"
#include "models/process_setup.h"

namespace mtlprune {

/// Prepares the process, lets `register_all` register the benchmarks, writes into the results' "context" what
/// they depend on, and runs them. `register_all` gets the arguments that are not Google Benchmark's, sets
/// LibTorch's threads, and returns false when there is nothing to run (--help). Returns the exit code.
template <typename RegisterAll>
int run_benchmarks(int argc, char** argv, const RegisterAll& register_all) {
    try {
        set_up_process(argv);
        std::vector<std::string> own;
        std::vector<char*> others = {argv[0]};
        for (int i = 1; i < argc; ++i) {
            const std::string argument = argv[i];
            if (argument.starts_with("--benchmark_") || argument.starts_with("--v="))
                others.push_back(argv[i]);
            else
                own.push_back(argument);
        }
        int count = static_cast<int>(others.size());
        benchmark::Initialize(&count, others.data());
        if (benchmark::ReportUnrecognizedArguments(count, others.data())) return 1;
        if (!register_all(own)) return 0;
        add_program_context();
        benchmark::RunSpecifiedBenchmarks();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << error.what() << "\n";
        return 1;
    }
}

}  // namespace mtlprune
