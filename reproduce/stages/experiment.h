// An experiment is a JSON file: data set, model, training, pruning, re-training, seeds. This is its typed
// form.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/pipeline/loader.h"
#include "models/multi_task_model.h"
#include "training/losses.h"
#include "training/optimizer.h"

namespace mtlprune {

/// Raised when a change of the code makes old run directories incomparable.
constexpr int kSchemaVersion = 1;

struct DataConfig {
    std::string kind;                     ///< a layout of open_dataset.h with NYUv2's three tasks
    std::string path;                     ///< the data set's folder; empty for synthetic_rooms
    int64_t classes, train, test;         ///< frames per split (0 = all; else an evenly spaced subset)
    uint64_t seed;                        ///< of the synthetic rooms
    int64_t render_height, render_width;  ///< of the synthetic rooms
    int64_t resize_height, resize_width;  ///< files: frames are resized to this first; 0 = as they are
    TransformOptions transform;
    int64_t workers;
    bool cache;
};

struct TrainRecipe {
    OptimizerConfig optimizer;
    ScheduleConfig schedule;
    int64_t iterations, batch_size;
    int64_t schedule_every;  ///< iterations per step of the schedule (an epoch)
    int64_t evaluate_every;
    /// Which evaluation is reported: "last"; as in the paper's code "best_loss" or "best_pixel_accuracy"
    /// (chosen on the test split).
    std::string selection;
};

struct PruneRecipe {
    std::vector<std::string> criteria;
    TrainRecipe training;  ///< optimizer, schedule, batch size; `iterations` is a cap (0 = until the floor)
    int64_t frequency;     ///< iterations between events
    int64_t filters_per_event;
    int64_t floor;         ///< least filters per layer
    bool reset_optimizer;  ///< fresh moments after every event, as in the paper's code
    std::string removal;   ///< "physical" or "mask"
};

struct RetrainTarget {
    double parameters_fraction = 0;  ///< of the dense network: the event nearest to it is re-trained
    std::vector<std::pair<std::string, int64_t>> events;  ///< or explicit events per criterion
    std::vector<std::pair<std::string, double>> lr;       ///< per criterion; empty: the recipe's
};

struct RetrainRecipe {
    TrainRecipe training;
    std::vector<RetrainTarget> targets;
    std::optional<uint64_t> architecture_seed;  ///< empty: every seed re-trains its own architectures
};

struct Experiment {
    std::string name, description;
    DataConfig data;
    ModelConfig model;
    Fidelity fidelity;
    std::string device;  ///< "cpu" or "cuda"
    int64_t threads_per_job;
    std::vector<uint64_t> seeds;
    TrainRecipe dense;
    PruneRecipe prune;
    RetrainRecipe retrain;
    nlohmann::json margins;                ///< equivalence margins of the claims
    std::vector<std::string> differences;  ///< what differs from the paper, for the report
    nlohmann::json canonical;              ///< the complete description, defaults included
};

/// Reads and checks an experiment. `place` names the file in errors. `overrides` ("data.path" -> value)
/// replace keys before reading.
Experiment read_experiment(const std::string& json_text, const std::string& place,
                           const std::vector<std::pair<std::string, nlohmann::json>>& overrides = {});

/// First 16 hex digits of the SHA-256 of the JSON's canonical text (sorted keys, no spaces) and the schema
/// version.
std::string config_hash(const nlohmann::json& config);

}  // namespace mtlprune
