#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <iostream>
#include <set>
#include <thread>

#include "base/atomic_file.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/evaluation_table.h"
#include "models/placement.h"
#include "pruning/criteria/criterion.h"
#include "reproduce/experiment_data.h"
#include "reproduce/jobs.h"
#include "reproduce/runner.h"

namespace mtlprune::cli {
namespace {

/// Evaluates the network of a checkpoint file on the experiment's test split.
Evaluation evaluate_checkpoint(const Experiment& experiment, const std::filesystem::path& file,
                               const std::vector<Batch>& test) {
    auto model = load_model(experiment.model, load_tensors(file));
    place(*model, open_device(experiment.device));
    return evaluate(model, test, experiment.fidelity);
}

void run_wanted(const Experiment& experiment, const po::variables_map& values,
                const std::function<bool(const Job&)>& wanted) {
    open_device(experiment.device);  // what cannot work fails here, before any job starts
    open_split(experiment.data, "train");
    open_split(experiment.data, "test");
    RunnerOptions runner{values["runs"].as<std::string>()};
    // The constant job reads every frame, so that a damaged one is one error.
    runner.wanted = [&](const Job& job) { return job.kind == JobKind::constant || wanted(job); };
    run_experiment(experiment, runner, std::cerr);
}

}  // namespace

int train_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    po::variables_map values;
    if (!parse("usage: mtlprune train [OPTIONS]\n\nTrains the dense network of a scale for each seed "
               "(resumable) and prints its metrics\n"
               "beside those of the best predictions without the image: a constant, one per position.",
               options, arguments, values))
        return 0;
    const auto experiment = read_experiment_options(values);
    run_wanted(experiment, values, [](const Job& job) { return job.kind == JobKind::dense; });
    at::set_num_threads(static_cast<int>(experiment.threads_per_job));
    const auto baselines = evaluate_baselines(experiment);
    for (const auto& job : plan_jobs(experiment)) {
        if (job.kind != JobKind::dense) continue;
        const auto file = job.folder(values["runs"].as<std::string>()) / "checkpoint.pt";
        std::cout << fmt::format(
            "\n{}\n{}", file.string(),
            evaluation_table(evaluate_checkpoint(experiment, file, baselines.test), baselines));
    }
    return 0;
}

int prune_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("criterion", po::value<std::vector<std::string>>()->multitoken(),
                          "names of mtlprune list, with options: taylor:window=false; default: the scale's");
    po::variables_map values;
    if (!parse("usage: mtlprune prune [OPTIONS]\n\nPrunes the dense network of a scale iteratively until "
               "every layer is at its floor\n"
               "(trains it first when needed; resumable) and prints size and metrics along the way.",
               options, arguments, values))
        return 0;
    auto experiment = read_experiment_options(values);
    std::set<std::string> criteria(experiment.prune.criteria.begin(), experiment.prune.criteria.end());
    if (values.count("criterion") > 0) {
        const auto& named = values["criterion"].as<std::vector<std::string>>();
        criteria = {named.begin(), named.end()};
        for (const auto& name : criteria) mtlprune::criteria().make(name);
        experiment.prune.criteria = named;
        experiment.canonical["prune"]["criteria"] = named;
    }
    const auto wanted = [&](const Job& job) {
        return job.kind == JobKind::prune && criteria.count(job.criterion) > 0;
    };
    run_wanted(experiment, values, wanted);
    for (const auto& job : plan_jobs(experiment)) {
        if (!wanted(job)) continue;
        const auto folder = job.folder(values["runs"].as<std::string>());
        std::cout << fmt::format("\n{} (seed {}), every event: {}\n", job.criterion, job.seed,
                                 (folder / "metrics.csv").string())
                  << read_file(folder / "metrics.csv");
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
    at::set_num_threads(static_cast<int>(experiment.threads_per_job));
    const auto baselines = evaluate_baselines(experiment);
    std::cout << evaluation_table(
        evaluate_checkpoint(experiment, values["checkpoint"].as<std::string>(), baselines.test), baselines);
    return 0;
}

}  // namespace mtlprune::cli
