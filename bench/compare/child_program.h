// Another program, run to its end.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace mtlprune::bench {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct ProgramCall {
    std::filesystem::path program;
    std::vector<std::string> words;
    Variables environment;       ///< beyond this process's own
    double limit_seconds = 600;  ///< then it is killed
};

/// Runs a program and returns its standard output. It is killed with whoever waits for it: when this process
/// ends in any way, and when an exception passes through. Throws Error naming the program on a start that
/// fails, an exit code other than 0, a signal and the time limit, with the end of its standard error.
std::string run_to_end(const ProgramCall& call);

}  // namespace mtlprune::bench
