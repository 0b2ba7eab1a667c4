// What stages put into the table of results.
#pragma once

#include <string>
#include <vector>

#include "base/table.h"
#include "pruning/cost/cost.h"
#include "pruning/masks/weight_masks.h"
#include "training/callbacks/subnormal_counts.h"
#include "training/evaluate.h"

namespace mtlprune {

/// Strategies of a constant stage's rows: the best prediction that is the same everywhere, and the best that
/// knows only the position of a pixel (training/evaluate.h).
constexpr const char* kConstantPredictor = "constant";
constexpr const char* kPositionPredictor = "position";

/// Losses ("loss", one per task) and metrics of an evaluation on a split. `key` gives stage, strategy, seed,
/// event and step.
void add_evaluation(Table& rows, TableRow key, const std::string& split, const std::vector<TaskSpec>& tasks,
                    const Evaluation& evaluation);

/// "task_weight": the factor of each task's loss, where a weighting learns them.
void add_task_weights(Table& rows, TableRow key, const std::vector<TaskSpec>& tasks,
                      const std::vector<double>& weights);

/// "subnormal.<tensor>": the share of its elements, at the key's step.
void add_subnormals(Table& rows, TableRow key, const SubnormalCounts& counts);

/// "parameters", "macs" (of one image), "filters" (all channels of `widths`) and, per group that may shrink
/// from 1 on, "width.<group>".
void add_network(Table& rows, TableRow key, const Cost& cost, const std::vector<int64_t>& widths);

/// "score.<group>" from 1 on: the criterion's mean over the group's channels before the key's event.
void add_scores(Table& rows, TableRow key, const std::vector<double>& mean_scores);

/// "weight_density": the share of the weights of convolutions and linear layers that is kept, of all, and of
/// every task's head under its name; "weight_density.shared": of what belongs to all tasks.
void add_weight_density(Table& rows, TableRow key, const WeightMasks& masks);

/// One row without split and task.
void add_fact(Table& rows, TableRow key, const std::string& metric, double value);

/// "status": PASSED, or FAILED or SKIPPED with a reason, whose commas, quotes and line breaks are replaced.
void add_status(Table& rows, TableRow key, const std::string& word, const std::string& reason = "");

}  // namespace mtlprune
