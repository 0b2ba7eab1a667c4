// What stages put into the table of results.
#pragma once

#include <string>
#include <vector>

#include "base/table.h"
#include "datasets/pipeline/transform.h"
#include "models/multi_task_model.h"
#include "training/evaluate.h"

namespace mtlprune {

/// Losses ("loss", one per task) and metrics of an evaluation on the test split. `key` gives stage, strategy,
/// seed, event and step.
void add_evaluation(Table& rows, TableRow key, const std::vector<TaskSpec>& tasks,
                    const Evaluation& evaluation);

/// "parameters", "macs" (of one image as `transform` makes it), "filters" and, per convolution from 1 on,
/// "width.<layer>".
void add_network(Table& rows, TableRow key, const ModelConfig& config, const TransformOptions& transform);

/// "score.<layer>" from 1 on: the criterion's mean over the layer's remaining filters at the key's event.
void add_scores(Table& rows, TableRow key, const std::vector<double>& mean_scores);

/// One row without event, step, split and task.
void add_fact(Table& rows, TableRow key, const std::string& metric, double value);

/// "status": PASSED, or FAILED or SKIPPED with a reason, whose commas, quotes and line breaks are replaced.
void add_status(Table& rows, TableRow key, const std::string& word, const std::string& reason = "");

}  // namespace mtlprune
