#include "cli/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <new>

#include "base/json_reader.h"
#include "base/revision.h"
#include "base/torch_message.h"
#include "cli/commands.h"
#include "models/process_setup.h"

namespace {

constexpr const char* kUsage =
    R"(mtlprune: structured pruning of multi-task networks, benchmarked and reproduced

usage: mtlprune COMMAND [OPTIONS]      (mtlprune COMMAND --help says more; mtlprune --version)

  reproduce   train, prune, re-train, evaluate; draw the main paper's figures and test its claims
  plan        the stages of an experiment as JSON; what is done of them
  run-stage   run exactly one of them
  report      draw the figures and write the report again from stored results
  train       train one dense network of a scale
  prune       prune a trained network iteratively with one criterion
  eval        metrics of a checkpoint on the test split
  export      a checkpoint's network as TorchScript
  data        look at a data set (show), validate it (check), describe it (stats), or write the synthetic rooms to
              disk (render)
  list        criteria, strategies, data sets, models and scales that exist
  models      parameters, multiply-accumulates, memory and prunable share of networks; whether weights fit them

  prune-torchscript   prune any traced or scripted network once, by its weights
  groups              channels of a network that must leave together, as a table and a picture
  explain             channels of a network that cannot leave, and why

  profile             how fast a network is on this machine, and how fast pruning can make it
  bench-compare       two sets of Google Benchmark results: same, different or need more data
  bench-gate          two builds of the benchmark programs, measured in turns and compared

Exit codes: 0 success, 1 internal error (data check: problems found; bench-compare, bench-gate: something is worse), 2 bad input or environment.
)";

using Run = int (*)(const mtlprune::cli::Arguments&);

/// All but reproduce, which also wants the command line.
const std::map<std::string, Run>& commands() {
    using namespace mtlprune::cli;
    static const std::map<std::string, Run> all = {{"list", list_command},
                                                   {"models", models_command},
                                                   {"data", data_command},
                                                   {"train", train_command},
                                                   {"prune", prune_command},
                                                   {"eval", eval_command},
                                                   {"export", export_command},
                                                   {"plan", plan_command},
                                                   {"run-stage", run_stage_command},
                                                   {"report", report_command},
                                                   {"prune-torchscript", prune_torchscript_command},
                                                   {"groups", groups_command},
                                                   {"explain", explain_command},
                                                   {"profile", profile_command},
                                                   {"bench-compare", bench_compare_command},
                                                   {"bench-gate", bench_gate_command}};
    return all;
}

int run(const std::string& command, const mtlprune::cli::Arguments& rest, const std::string& command_line) {
    if (command == "reproduce") return mtlprune::cli::reproduce_command(rest, command_line);
    if (const auto found = commands().find(command); found != commands().end()) return found->second(rest);
    std::vector<std::string> known = {"reproduce"};
    for (const auto& [name, unused] : commands()) known.push_back(name);
    throw mtlprune::Error(fmt::format("unknown command '{}'{}; mtlprune --help lists all", command,
                                      mtlprune::did_you_mean(command, known)));
}

/// The others would only start later.
bool computes_for_long(const std::string& command) {
    return command == "train" || command == "prune" || command == "eval" || command == "reproduce" ||
           command == "run-stage";
}

}  // namespace

namespace mtlprune::cli {

int run_program(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && computes_for_long(arguments[0])) mtlprune::set_up_process(argv);
    if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
        (arguments.empty() ? std::cerr : std::cout) << kUsage;
        return arguments.empty() ? 2 : 0;
    }
    if (arguments[0] == "--version") {
        std::cout << "mtlprune " << mtlprune::this_program().text() << "\n";
        return 0;
    }
    std::string command_line = "mtlprune";
    for (const auto& argument : arguments) command_line += " " + argument;
    try {
        return run(arguments[0], {arguments.begin() + 1, arguments.end()}, command_line);
    } catch (const mtlprune::Error& error) {
        std::cerr << "mtlprune: " << error.what() << "\n";
        return 2;
    } catch (const std::bad_alloc&) {
        std::cerr << "mtlprune: not enough memory\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "mtlprune: internal error: " << mtlprune::torch_message(error) << "\n";
        return 1;
    }
}

}  // namespace mtlprune::cli
