// What results depend on besides the code: revision, libraries, machine, threads.
#pragma once

#include <map>
#include <string>

namespace mtlprune {

/// For the "context" of Google Benchmark's JSON: git revision, LibTorch, BLAS, compiler, processor and GPU,
/// threads, and what the system says of clock governor and turbo ("unknown" in containers). At the time of
/// the call.
std::map<std::string, std::string> benchmark_context();

}  // namespace mtlprune
