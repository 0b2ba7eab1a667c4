// Metrics for people to read.
#pragma once

#include <string>

#include "base/table.h"
#include "reproduce/stages/experiment_data.h"
#include "training/evaluate.h"

namespace mtlprune::cli {

/// The best predictions without the image, and the test split on which they and networks are compared.
struct Baselines {
    std::vector<Batch> test;
    Evaluation constant, by_position;
};
Baselines evaluate_baselines(const Experiment& experiment);

/// One line per metric: value of the network, of the best constant prediction and of the best that knows the
/// position only, which direction is better.
std::string evaluation_table(const Evaluation& network, const Baselines& baselines);

/// One line per pruning event of a prune stage's rows: parameters, macs, losses and metrics.
std::string event_table(const Table& rows);

}  // namespace mtlprune::cli
