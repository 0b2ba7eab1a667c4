#include <fmt/format.h>

#include <algorithm>

#include "models/parameter_count.h"
#include "reproduce/job.h"

namespace mtlprune {
namespace {

/// What every job's result depends on.
nlohmann::json shared_config(const Experiment& experiment) {
    nlohmann::json config;
    for (const char* key : {"data", "model", "fidelity", "device", "threads_per_job"})
        config[key] = experiment.canonical.at(key);
    return config;
}

/// Forward MACs of one image, in billions, as a rough unit of time.
double forward_cost(const Experiment& experiment) {
    const auto macs =
        conv_macs(experiment.model, experiment.data.transform.height, experiment.data.transform.width);
    return static_cast<double>(macs.backbone + macs.heads) * 1e-9;
}

double training_cost(const Experiment& experiment, const TrainRecipe& recipe, double shrink = 1.0) {
    return 3.0 * forward_cost(experiment) * shrink *
           static_cast<double>(recipe.iterations * recipe.batch_size);
}

Job dense_job(const Experiment& experiment, uint64_t seed) {
    Job job{JobKind::dense,
            "dense",
            seed,
            "",
            0,
            shared_config(experiment),
            {},
            training_cost(experiment, experiment.dense)};
    job.config["job"] = "dense";
    job.config["recipe"] = experiment.canonical.at("dense");
    return job;
}

int64_t event_count(const Experiment& experiment) {
    int64_t removable = 0;
    for (const int64_t width : experiment.model.widths)
        removable += std::max<int64_t>(0, width - experiment.prune.floor);
    return (removable + experiment.prune.filters_per_event - 1) / experiment.prune.filters_per_event;
}

Job prune_job(const Experiment& experiment, const std::string& criterion, const Job& dense,
              size_t dense_index) {
    Job job{JobKind::prune, "prune-" + criterion, dense.seed, criterion, 0, dense.config, {dense_index}};
    job.config["job"] = "prune";
    job.config["dense"] = config_hash(dense.config);
    job.config["recipe"] = experiment.canonical.at("prune");
    job.config["recipe"].erase("criteria");
    job.config["criterion"] = criterion;
    // Networks shrink linearly in filters, so their cost averages to about 0.4 of the dense one's.
    const double passes = criterion == "cosprune" ? 7.0 : 3.0;
    job.cost = passes * forward_cost(experiment) * 0.4 *
               static_cast<double>((event_count(experiment) + 1) * experiment.prune.frequency *
                                   experiment.prune.training.batch_size);
    return job;
}

Job retrain_job(const Experiment& experiment, const Job& prune, size_t prune_index, uint64_t seed,
                size_t target) {
    Job job{JobKind::retrain,
            fmt::format("retrain-{}-{}", prune.criterion, target),
            seed,
            prune.criterion,
            target,
            shared_config(experiment),
            {prune_index}};
    job.config["job"] = "retrain";
    job.config["prune"] = config_hash(prune.config);
    job.config["architecture_seed"] = prune.seed;
    job.config["recipe"] = experiment.canonical.at("retrain");
    job.config["recipe"].erase("targets");
    job.config["target"] = experiment.canonical.at("retrain").at("targets").at(target);
    const double fraction = experiment.retrain.targets[target].parameters_fraction;
    job.cost =
        training_cost(experiment, experiment.retrain.training, fraction > 0 ? std::max(0.2, fraction) : 0.5);
    return job;
}

/// The target is the dense architecture whatever the criterion: it is trained once and counts for all.
bool is_dense(const RetrainTarget& target) {
    return target.parameters_fraction == 1.0 ||
           (!target.events.empty() && std::all_of(target.events.begin(), target.events.end(),
                                                  [](const auto& event) { return event.second == 0; }));
}

/// Re-training the dense architecture by the dense job's own recipe gives the dense job's network again.
bool repeats_dense_training(const Experiment& experiment, const nlohmann::json& recipe,
                            const RetrainTarget& target) {
    const double lr = experiment.retrain.training.optimizer.lr;
    return recipe == experiment.canonical.at("dense") &&
           std::all_of(target.lr.begin(), target.lr.end(),
                       [&](const auto& given) { return given.second == lr; });
}

Job dense_retrain_job(const Experiment& experiment, uint64_t seed, size_t target, size_t dense_index) {
    Job job{JobKind::retrain,
            fmt::format("retrain-dense-{}", target),
            seed,
            "dense",
            target,
            shared_config(experiment),
            {}};
    job.config["job"] = "retrain";
    job.config["recipe"] = experiment.canonical.at("retrain");
    job.config["recipe"].erase("targets");
    job.config["recipe"].erase("architecture_seed");
    job.config["target"] = experiment.canonical.at("retrain").at("targets").at(target);
    job.cost = training_cost(experiment, experiment.retrain.training);
    if (repeats_dense_training(experiment, job.config["recipe"], experiment.retrain.targets[target])) {
        job.needs = {dense_index};
        job.cost *= 1e-3;
    }
    return job;
}

/// Explicit events may name one criterion only (an architecture without a partner of similar size).
bool names_criterion(const RetrainTarget& target, const std::string& criterion) {
    return target.events.empty() || std::any_of(target.events.begin(), target.events.end(),
                                                [&](const auto& event) { return event.first == criterion; });
}

size_t find_job(const std::vector<Job>& plan, const std::string& name, uint64_t seed) {
    const auto it = std::find_if(plan.begin(), plan.end(),
                                 [&](const Job& job) { return job.name == name && job.seed == seed; });
    if (it == plan.end())
        throw Error("configuration", "retrain: architecture_seed", "one of the experiment's seeds",
                    std::to_string(seed));
    return static_cast<size_t>(it - plan.begin());
}

}  // namespace

std::filesystem::path Job::folder(const std::filesystem::path& runs) const {
    return runs / fmt::format("{}_{}", name, config_hash(config)) / fmt::format("seed_{}", seed);
}

std::vector<Job> plan_jobs(const Experiment& experiment) {
    std::vector<Job> plan;
    Job constant{JobKind::constant, "constant", 0, "", 0, {}, {}, 0.0};
    constant.config = {{"job", "constant"},
                       {"data", experiment.canonical.at("data")},
                       {"fidelity", experiment.canonical.at("fidelity")}};
    plan.push_back(constant);
    for (const uint64_t seed : experiment.seeds) plan.push_back(dense_job(experiment, seed));
    for (const uint64_t seed : experiment.seeds)
        for (const auto& criterion : experiment.prune.criteria) {
            const size_t dense = find_job(plan, "dense", seed);
            plan.push_back(prune_job(experiment, criterion, plan[dense], dense));
        }
    for (size_t target = 0; target < experiment.retrain.targets.size(); ++target)
        for (const uint64_t seed : experiment.seeds) {
            if (is_dense(experiment.retrain.targets[target])) {
                plan.push_back(dense_retrain_job(experiment, seed, target, find_job(plan, "dense", seed)));
                continue;
            }
            for (const auto& criterion : experiment.prune.criteria) {
                if (!names_criterion(experiment.retrain.targets[target], criterion)) continue;
                const uint64_t source = experiment.retrain.architecture_seed.value_or(seed);
                const size_t prune = find_job(plan, "prune-" + criterion, source);
                plan.push_back(retrain_job(experiment, plan[prune], prune, seed, target));
            }
        }
    return plan;
}

}  // namespace mtlprune
