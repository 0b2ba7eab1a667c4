// Metrics for people to read.
#pragma once

#include <string>

#include "training/evaluate.h"

namespace mtlprune::cli {

/// One line per metric: value of the network, value of the best constant prediction, which direction is
/// better.
std::string evaluation_table(const Evaluation& network, const Evaluation& constant);

}  // namespace mtlprune::cli
