#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/atomic_file.h"
#include "base/table.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/evaluation_table.h"
#include "models/placement.h"
#include "models/weights/torchscript.h"
#include "reproduce/report/figure_drawing.h"
#include "reproduce/resources.h"
#include "reproduce/runner/runner.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_network.h"

namespace mtlprune::cli {
namespace {

/// Evaluates the network of a checkpoint file on the experiment's test split.
Evaluation evaluate_checkpoint(const Experiment& experiment, const std::filesystem::path& file,
                               const std::vector<Batch>& test) {
    const auto tasks = experiment_tasks(experiment.data);
    const auto model = load_network(experiment.model, tasks, load_tensors(file)).model;
    place(*model, open_device(experiment.device));
    return evaluate(*model, test, experiment.fidelity);
}

/// Of a stage of `plan` that trained. Without Python there are none, which is said once.
void draw_curves(const std::vector<Stage>& plan, const Stage& stage, const std::filesystem::path& runs,
                 const std::vector<TaskSpec>& tasks) {
    static const auto python = python_with_matplotlib();
    static const bool said = !python && std::cerr
                                            << "mtlprune: no python3 with matplotlib and numpy: no "
                                               "learning curves are drawn (install python3-matplotlib)\n";
    if (said) return;
    const auto constant = std::find_if(plan.begin(), plan.end(),
                                       [](const Stage& other) { return other.kind == StageKind::constant; });
    const auto folder = stage.folder(runs);
    write_file_atomically(folder / "metrics.json", metrics_json(metric_definitions(tasks)).dump(1) + "\n");
    draw_learning_curves(*python, resource_folder() / "figures", folder,
                         constant == plan.end() ? "" : constant->folder(runs) / "results.csv");
    std::cout << (folder / "learning_curves.png").string() << "\n";
}

void run_wanted(const Experiment& experiment, const po::variables_map& values,
                const std::vector<std::string>& words, const std::function<bool(const Stage&)>& wanted) {
    // The constant stage reads every frame, so that a damaged one is one error.
    require_passed(
        run_experiment(experiment, {values["runs"].as<std::string>(), words, 0, [&](const Stage& stage) {
                                        return stage.kind == StageKind::constant || wanted(stage);
                                    }}));
}

}  // namespace

int train_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    po::variables_map values;
    if (!parse("usage: mtlprune train [OPTIONS]\n\nTrains the dense network of a scale for each seed "
               "(resumable) and prints its metrics\n"
               "beside those of the best predictions without the image: a constant, one per position. Draws "
               "its learning curves.",
               options, arguments, values))
        return 0;
    const auto experiment = read_experiment_options(values);
    const auto wanted = [&](const Stage& stage) {
        return experiment.figures ? stage.name == experiment.figures->dense : stage.kind == StageKind::train;
    };
    run_wanted(experiment, values, experiment_words(values), wanted);
    at::set_num_threads(static_cast<int>(experiment.threads_per_stage));
    const auto baselines = evaluate_baselines(experiment);
    const auto plan = plan_stages(experiment);
    const std::filesystem::path runs = values["runs"].as<std::string>();
    for (const auto& stage : plan) {
        if (!wanted(stage)) continue;
        const auto file = stage.folder(runs) / "checkpoint.pt";
        std::cout << fmt::format(
            "\n{}\n{}", file.string(),
            evaluation_table(evaluate_checkpoint(experiment, file, baselines.test), baselines));
        draw_curves(plan, stage, runs, experiment_tasks(experiment.data));
    }
    return 0;
}

int prune_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("strategy", po::value<std::vector<std::string>>()->multitoken(),
                          "strategies or criteria of mtlprune list, the latter with options: "
                          "taylor:window=false; default: the scale's");
    po::variables_map values;
    if (!parse("usage: mtlprune prune [OPTIONS]\n\nPrunes the dense network of a scale iteratively until "
               "every layer is at its floor\n"
               "(trains it first when needed; resumable) and prints size and metrics along the way.",
               options, arguments, values))
        return 0;
    auto words = experiment_words(values);
    Overrides overrides;
    if (values.count("strategy") > 0) {
        const nlohmann::json named = values["strategy"].as<std::vector<std::string>>();
        overrides.emplace_back("prune.strategies", named);
        words.insert(words.end(), {"--set", "prune.strategies=" + named.dump()});
    }
    const auto experiment = read_experiment_options(values, overrides);
    const auto wanted = [](const Stage& stage) { return stage.kind == StageKind::prune; };
    run_wanted(experiment, values, words, wanted);
    for (const auto& stage : plan_stages(experiment)) {
        if (!wanted(stage)) continue;
        const auto folder = stage.folder(values["runs"].as<std::string>());
        const auto file = folder / "results.csv";
        std::cout << fmt::format("\n{} (seed {}), every event: {}\n", stage.strategy, stage.seed,
                                 file.string())
                  << event_table(Table::read(file));
    }
    return 0;
}

int eval_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("checkpoint", po::value<std::string>()->required(),
                          "checkpoint.pt of a run directory");
    po::variables_map values;
    if (!parse("usage: mtlprune eval CHECKPOINT [OPTIONS]\n\nMetrics of a network on the test split of a "
               "scale's data, beside those of the best\n"
               "predictions without the image: a constant, one per position.",
               options, arguments, values, {"checkpoint"}))
        return 0;
    const auto experiment = read_experiment_options(values);
    at::set_num_threads(static_cast<int>(experiment.threads_per_stage));
    const auto baselines = evaluate_baselines(experiment);
    std::cout << evaluation_table(
        evaluate_checkpoint(experiment, values["checkpoint"].as<std::string>(), baselines.test), baselines);
    return 0;
}

int export_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("checkpoint", po::value<std::string>()->required(),
                          "checkpoint.pt of a run directory")(
        "out", po::value<std::string>()->default_value("network.pt"), "file to write");
    po::variables_map values;
    if (!parse("usage: mtlprune export CHECKPOINT [OPTIONS]\n\nWrites a network, pruned or not, as "
               "TorchScript for "
               "images of the scale's size (any number of them).\nIt returns a tuple: a prediction per task, "
               "in the "
               "order of the data set's tasks.",
               options, arguments, values, {"checkpoint"}))
        return 0;
    const auto experiment = read_experiment_options(values);
    const auto& transform = experiment.data.transform;
    const auto network = load_network(experiment.model, experiment_tasks(experiment.data),
                                      load_tensors(values["checkpoint"].as<std::string>()));
    std::ostringstream file;
    to_torchscript(*network.model, torch::zeros({1, 3, transform.height, transform.width})).save(file);
    write_file_atomically(values["out"].as<std::string>(), file.str());
    std::cout << values["out"].as<std::string>() << "\n";
    return 0;
}

}  // namespace mtlprune::cli
