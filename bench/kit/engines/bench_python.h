// The Python with other runtimes, where there is one.
#pragma once

#include <string>
#include <vector>

namespace mtlprune {

/// The interpreter that MTLPRUNE_BENCH_PYTHON names; empty when it names none.
std::string bench_python();

/// Why that interpreter cannot be had with these packages; empty when it can. Every interpreter is asked
/// once.
std::string missing_python(const std::vector<std::string>& packages);

/// The version of one of its packages; empty when that is not known.
std::string python_version_of(const std::string& package);

/// The command that runs a script of bench/engines/ with it.
std::vector<std::string> bench_script(const std::string& script, const std::vector<std::string>& arguments);

}  // namespace mtlprune
