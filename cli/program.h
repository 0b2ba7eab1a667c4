// The whole program, for those who add entries to the registries before it starts.
#pragma once

namespace mtlprune::cli {

/// What main() does; returns the exit code.
int run_program(int argc, char** argv);

}  // namespace mtlprune::cli
