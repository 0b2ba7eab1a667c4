#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "base/progress.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/report_command.h"
#include "reproduce/results/collect_results.h"
#include "reproduce/runner/runner.h"
#include "reproduce/stages/experiment_data.h"

namespace mtlprune::cli {
namespace {

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    return text;
}

/// When and for how long this invocation worked; `resumed`: earlier ones had left some of the work done.
struct Invocation {
    std::string command, started;
    double seconds = 0;
    bool resumed = false;
};

bool any_started(const Experiment& experiment, const std::filesystem::path& runs) {
    const auto plan = plan_stages(experiment);
    return std::any_of(plan.begin(), plan.end(),
                       [&](const Stage& stage) { return std::filesystem::exists(stage.folder(runs)); });
}

nlohmann::json run_facts(const Experiment& experiment, const std::filesystem::path& runs,
                         const Invocation& invocation) {
    // As its stages saw it.
    const auto file = plan_stages(experiment).front().folder(runs) / "env.json";
    auto machine = parse_json(read_file(file), file.string());
    machine.erase("program");  // each stage says its own
    return {{"name", experiment.name},
            {"scale", experiment.name},
            {"fidelity", fidelity_text(experiment.fidelity)},
            {"description", experiment.description},
            {"data", open_split(experiment.data, "train")->description() +
                         "; test: " + open_split(experiment.data, "test")->description()},
            {"command", invocation.command},
            {"machine", machine},
            {"device", experiment.device},
            {"torch", machine.at("torch")},
            {"seeds", experiment.seeds},
            {"started", invocation.started},
            {"seconds", invocation.seconds},
            {"resumed", invocation.resumed},
            {"differences", experiment.differences},
            {"figures", experiment.figures ? figure_stages_to_json(*experiment.figures) : nlohmann::json()},
            {"experiment", experiment.canonical}};
}

}  // namespace

int reproduce_command(const Arguments& arguments, const std::string& command_line) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("results", po::value<std::string>(),
                          "folder for tables, figures and report.html; default results/<scale>_<hash>")(
        "jobs", po::value<int64_t>()->default_value(0), "stages at a time; 0 = as many as the cores allow");
    add_axis_option(options);
    po::variables_map values;
    if (!parse("usage: mtlprune reproduce [OPTIONS]\n\nTrains dense networks, prunes them iteratively with "
               "every strategy, "
               "re-trains the pruned\narchitectures from scratch, draws Figures 1-3 of the main paper and "
               "tests its claims.\n"
               "Interrupt it at any moment: the same command resumes. Finished stages are reused.\n"
               "mtlprune plan prints the stages.",
               options, arguments, values))
        return 0;
    const auto axis = read_axis(values);
    const auto experiment = read_experiment_options(values);
    const std::filesystem::path runs = values["runs"].as<std::string>();
    Invocation invocation{command_line, utc_now(), 0, any_started(experiment, runs)};
    const auto start = std::chrono::steady_clock::now();
    const auto statuses =
        run_experiment(experiment, {runs, experiment_words(values), values["jobs"].as<int64_t>(), {}});
    invocation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    const std::filesystem::path results =
        values.count("results") > 0
            ? std::filesystem::path(values["results"].as<std::string>())
            : std::filesystem::path("results") /
                  fmt::format("{}_{}", experiment.name, config_hash(experiment.canonical));
    if (std::any_of(statuses.begin(), statuses.end(),
                    [](const StageStatus& status) { return status.passed(); }))
        collect_results(plan_stages(experiment), statuses, runs, results,
                        run_facts(experiment, runs, invocation), experiment_tasks(experiment.data));
    require_passed(statuses);
    std::cerr << fmt::format("\nfinished in {}\n", duration_text(invocation.seconds));
    if (!experiment.figures) {
        std::cerr << "mtlprune: the experiment names no stages for figures and claims: there is no report\n";
        std::cout << std::filesystem::absolute(results / "results.csv").lexically_normal().string() << "\n";
        return 0;
    }
    draw_and_report(results, axis);
    return 0;
}

}  // namespace mtlprune::cli
