// Metrics for people to read.
#pragma once

#include <string>

#include "base/table.h"
#include "training/evaluate.h"

namespace mtlprune::cli {

/// One line per metric: value of the network, value of the best constant prediction, which direction is
/// better.
std::string evaluation_table(const Evaluation& network, const Evaluation& constant);

/// One line per pruning event of a prune stage's rows: parameters, macs, losses and metrics.
std::string event_table(const Table& rows);

}  // namespace mtlprune::cli
