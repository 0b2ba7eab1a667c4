// TorchScript networks named on the command line, and the example inputs they are traced with.
#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "pruning/coupling/groups.h"

namespace mtlprune::cli {

/// Adds the options --input, --whole-heads and --shrink-output.
void add_coupling_options(po::options_description& options);
CouplingOptions read_coupling_options(const po::variables_map& values);

/// Reads a TorchScript file in eval mode. Throws Error naming the file.
torch::jit::Module load_script(const std::string& path);

/// "1x3x224x224" or "2x16:int64", one text per input: reproducible random numbers (integers: 0 or 1) of the
/// type of the module's first parameter unless one is named. Throws Error on a malformed text, or when there
/// is none.
std::vector<c10::IValue> example_inputs(const torch::jit::Module& module,
                                        const std::vector<std::string>& texts);

/// What stands behind `--input`.
std::vector<std::string> input_texts(const po::variables_map& values);

}  // namespace mtlprune::cli
