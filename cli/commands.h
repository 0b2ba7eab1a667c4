// The sub-commands of mtlprune. Each returns the program's exit code and throws Error on bad input.
#pragma once

#include <string>
#include <vector>

namespace mtlprune::cli {

using Arguments = std::vector<std::string>;

int list_command(const Arguments& arguments);
int models_command(const Arguments& arguments);
int data_command(const Arguments& arguments);
/// `mtlprune data show`, `pack`, `check` and `stats`.
int show_command(const Arguments& arguments);
int pack_command(const Arguments& arguments);
int check_command(const Arguments& arguments);
int stats_command(const Arguments& arguments);
int train_command(const Arguments& arguments);
int prune_command(const Arguments& arguments);
int eval_command(const Arguments& arguments);
int export_command(const Arguments& arguments);
int prune_torchscript_command(const Arguments& arguments);
int groups_command(const Arguments& arguments);
int explain_command(const Arguments& arguments);
int profile_command(const Arguments& arguments);
int plan_command(const Arguments& arguments);
int run_stage_command(const Arguments& arguments);
int report_command(const Arguments& arguments);
int bench_compare_command(const Arguments& arguments);
int bench_gate_command(const Arguments& arguments);
/// `command_line` is stated in the report as the way to repeat the run.
int reproduce_command(const Arguments& arguments, const std::string& command_line);

}  // namespace mtlprune::cli
