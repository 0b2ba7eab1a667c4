// Metrics for people to read.
#pragma once

#include <string>

#include "reproduce/experiment_data.h"
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

}  // namespace mtlprune::cli
