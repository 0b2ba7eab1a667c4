#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "mtlprune/version.h"
#include "reproduce/experiment_data.h"
#include "reproduce/figure_drawing.h"
#include "reproduce/machine.h"
#include "reproduce/progress_display.h"
#include "reproduce/report.h"
#include "reproduce/resources.h"
#include "reproduce/runner.h"

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
    const auto plan = plan_jobs(experiment);
    return std::any_of(plan.begin(), plan.end(),
                       [&](const Job& job) { return std::filesystem::exists(job.folder(runs)); });
}

nlohmann::json run_facts(const Experiment& experiment, const Invocation& invocation) {
    const auto machine = machine_description();
    return {{"name", experiment.name},
            {"scale", experiment.name},
            {"fidelity", experiment.fidelity == Fidelity::corrected ? "corrected" : "as_released"},
            {"description", experiment.description},
            {"data", open_split(experiment.data, "train")->description() +
                         "; test: " + open_split(experiment.data, "test")->description()},
            {"command", invocation.command},
            {"machine", machine},
            {"device", experiment.device},
            {"torch", machine.at("torch")},
            {"version", kVersion},
            {"seeds", experiment.seeds},
            {"started", invocation.started},
            {"seconds", invocation.seconds},
            {"resumed", invocation.resumed},
            {"differences", experiment.differences},
            {"experiment", experiment.canonical}};
}

}  // namespace

int reproduce_command(const Arguments& arguments, const std::string& command_line) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("results", po::value<std::string>(),
                          "folder for tables, figures and report.html; default results/<scale>_<hash>")(
        "jobs", po::value<int64_t>()->default_value(0), "jobs at a time; 0 = as many as the cores allow")(
        "axis", po::value<std::string>()->default_value("true"),
        "true: figures over parameter counts; paper: also *_paper_axis files over the paper's ordinal axis")(
        "plan", po::bool_switch(), "only list the jobs and what is done of them");
    po::variables_map values;
    if (!parse("usage: mtlprune reproduce [OPTIONS]\n\nTrains dense networks, prunes them iteratively with "
               "every criterion, "
               "re-trains the pruned\narchitectures from scratch, draws Figures 1-3 of the main paper and "
               "tests its claims.\n"
               "Interrupt it at any moment: the same command resumes. Finished runs are reused.",
               options, arguments, values))
        return 0;
    const auto axis = values["axis"].as<std::string>();
    if (axis != "true" && axis != "paper") throw Error("option", "--axis", "true or paper", "'" + axis + "'");
    const auto experiment = read_experiment_options(values);
    RunnerOptions runner{values["runs"].as<std::string>(), values["jobs"].as<int64_t>()};
    if (values["plan"].as<bool>()) {
        for (const auto& job : plan_jobs(experiment))
            std::cout << fmt::format(
                "{:7} {}\n", std::filesystem::exists(job.folder(runner.runs) / "DONE") ? "done" : "to do",
                job.folder(runner.runs).string());
        return 0;
    }
    open_device(experiment.device);  // what cannot work fails here, before any job starts
    open_split(experiment.data, "train");
    open_split(experiment.data, "test");
    Invocation invocation{command_line, utc_now(), 0, any_started(experiment, runner.runs)};
    const auto start = std::chrono::steady_clock::now();
    run_experiment(experiment, runner, std::cerr);
    invocation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    const std::filesystem::path results =
        values.count("results") > 0
            ? std::filesystem::path(values["results"].as<std::string>())
            : std::filesystem::path("results") /
                  fmt::format("{}_{}", experiment.name, config_hash(experiment.canonical));
    collect_results(experiment, runner.runs, results, run_facts(experiment, invocation));
    if (const auto python = python_with_matplotlib()) {
        draw_figures(*python, resource_folder() / "figures", results);
        if (axis == "paper") draw_figures(*python, resource_folder() / "figures", results, axis);
    } else {
        std::cerr << "mtlprune: no python3 with matplotlib and numpy: the report has no figures (install "
                     "python3-matplotlib)\n";
    }
    write_report(results);
    std::cerr << fmt::format("\nfinished in {}\n", duration_text(invocation.seconds));
    std::cout << std::filesystem::absolute(results / "report.html").lexically_normal().string() << "\n";
    return 0;
}

}  // namespace mtlprune::cli
