#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "reproduce/runner/stage_process.h"
#include "reproduce/stages/stage.h"

namespace mtlprune::cli {
namespace {

/// The one stage that has the given name, seed and hash (those that are given).
size_t chosen_stage(const std::vector<Stage>& plan, const po::variables_map& values) {
    if (values.count("stage") + values.count("hash") == 0)
        throw Error("option", "run-stage", "--stage NAME or --hash HASH", "neither");
    std::vector<size_t> found;
    for (size_t i = 0; i < plan.size(); ++i) {
        const bool seed = values.count("seed") == 0 || plan[i].seed == values["seed"].as<uint64_t>();
        const bool name = values.count("stage") == 0 || plan[i].name == values["stage"].as<std::string>();
        const bool hash = values.count("hash") == 0 || plan[i].hash() == values["hash"].as<std::string>();
        if (seed && name && hash) found.push_back(i);
    }
    if (found.size() == 1) return found[0];
    if (found.size() > 1)
        throw Error("option", "run-stage", "--seed, to choose one stage",
                    fmt::format("{} stages", found.size()));
    if (values.count("stage") > 0 && values.count("hash") == 0)
        return find_stage(plan, values["stage"].as<std::string>(),
                          values.count("seed") > 0 ? values["seed"].as<uint64_t>() : 0);
    throw Error("option", "run-stage", "a stage of the plan (see mtlprune plan)",
                fmt::format("none with the hash {}", values["hash"].as<std::string>()));
}

}  // namespace

int plan_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    po::variables_map values;
    if (!parse("usage: mtlprune plan [OPTIONS]\n\nPrints the stages of an experiment as JSON: name, kind, "
               "seed, the "
               "stages that each starts\nfrom, hash, folder, whether it is done, and its relative time. Any "
               "order "
               "that respects\n`needs` is valid for mtlprune run-stage.",
               options, arguments, values))
        return 0;
    const auto experiment = read_experiment_options(values);
    const nlohmann::json plan = {
        {"experiment", experiment.name},
        {"stages", plan_to_json(plan_stages(experiment), values["runs"].as<std::string>())}};
    std::cout << plan.dump(2) << "\n";
    return 0;
}

int run_stage_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("stage", po::value<std::string>(), "name of the stage, as mtlprune plan prints it")(
        "seed", po::value<uint64_t>(), "its seed")("hash", po::value<std::string>(),
                                                   "its hash: instead of the name, or to be sure of it")(
        "runner", po::value<std::string>(), "set by mtlprune reproduce: where to report progress");
    po::variables_map values;
    if (!parse("usage: mtlprune run-stage [OPTIONS] --stage NAME --seed K\n\nRuns (or resumes) exactly one "
               "stage of an "
               "experiment. The stages it starts from must be done.\nStarted by torchrun or srun as several "
               "processes, it trains the stage by all of them together.",
               options, arguments, values))
        return 0;
    const auto layout = process_layout();
    const bool by_runner = values.count("runner") > 0;
    StageProgress progress = [](double, const std::string&) {};
    if (by_runner) progress = report_to_runner(values["runner"].as<std::string>());
    const auto experiment = read_experiment_options(values);
    const auto plan = plan_stages(experiment);
    const size_t index = chosen_stage(plan, values);
    const auto place = fmt::format("{} (seed {})", plan[index].name, plan[index].seed);
    try {
        run_stage(experiment, plan, index, values["runs"].as<std::string>(), progress, layout);
    } catch (const Error& error) {
        if (by_runner) std::cerr << "\n";  // below the runner's line
        throw Error(fmt::format("{}: {}", place, error.what()));
    } catch (const std::exception& error) {
        throw std::runtime_error(fmt::format("{}: {}", place, error.what()));
    }
    return 0;
}

}  // namespace mtlprune::cli
