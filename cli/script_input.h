// How the example inputs of a TorchScript network are named on the command line, and how it is coupled.
#pragma once

#include <torch/script.h>

#include <vector>

#include "cli/arguments.h"
#include "pruning/coupling/groups.h"

namespace mtlprune::cli {

/// Adds the options --input, --whole-heads and --shrink-output.
void add_coupling_options(po::options_description& options);
CouplingOptions read_coupling_options(const po::variables_map& values);

/// The arguments of forward: what `--input` describes (input_value.h), in order or by name, with tensors of
/// the type of the module's first parameter unless one is named, and the defaults of arguments left out.
/// Reproducible. Throws Error on a malformed text and on an argument that is missing, of another type, or
/// unknown, saying what to write.
std::vector<c10::IValue> example_inputs(const torch::jit::Module& module, const po::variables_map& values);

}  // namespace mtlprune::cli
