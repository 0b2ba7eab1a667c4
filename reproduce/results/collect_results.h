// From the stages' rows to the experiment's table.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "datasets/contract/task.h"
#include "reproduce/runner/runner.h"

namespace mtlprune {

/// Writes results.csv (the rows of all stages that passed, in the plan's order, and a status row for each
/// other one), run.json (`run_facts` and "programs": which revisions of this program computed how many of the
/// stages that passed) and metrics.json (what the tasks' metrics are) into `results`. `statuses` are those of
/// the plan's stages. Throws Error when a stage that passed has no readable results.csv or env.json; nothing
/// is then written.
void collect_results(const std::vector<Stage>& plan, const std::vector<StageStatus>& statuses,
                     const std::filesystem::path& runs, const std::filesystem::path& results,
                     nlohmann::json run_facts, const std::vector<TaskSpec>& tasks);

}  // namespace mtlprune
