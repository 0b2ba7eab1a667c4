// Options of programs that measure latencies.
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "bench/kit/latency.h"

namespace mtlprune {

/// Adds --seconds, --runs, --most-seconds, --warm-up-runs, --warm-up-seconds and --seed, whose defaults are
/// what `latency` holds; it must outlive the parsing.
void add_latency_flags(boost::program_options::options_description& options, LatencyOptions& latency);

/// "1,8": numbers of at least 1. Throws Error naming the option.
std::vector<int64_t> read_numbers(const std::string& text, const std::string& option);

/// Parts between the separators.
std::vector<std::string> split(const std::string& text, char separator);

}  // namespace mtlprune
