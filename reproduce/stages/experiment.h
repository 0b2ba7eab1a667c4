// An experiment is a JSON file: data set, model, stages, seeds. This is its typed form.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_names.h"
#include "datasets/pipeline/loader.h"
#include "models/model_spec.h"
#include "reproduce/results/figure_stages.h"
#include "reproduce/stages/selection.h"
#include "reproduce/strategies/strategy.h"
#include "training/fidelity.h"
#include "training/learning_rate.h"
#include "training/optimizer.h"
#include "training/update_options.h"

namespace mtlprune {

struct DataConfig {
    std::string kind;                                   ///< a layout of open_dataset.h
    std::string path;                                   ///< the data set's folder; empty for layouts without
    std::vector<std::string> tasks;                     ///< which of its tasks, in this order; empty: all
    nlohmann::json options = nlohmann::json::object();  ///< of the layout: how its files are read
    int64_t classes;                      ///< where the layout has a choice; 0: its usual number
    int64_t train, test;                  ///< frames per split (0 = all; else an evenly spaced subset)
    double validation = 0.0;              ///< share of the training frames that is held out; see hold_out()
    uint64_t seed;                        ///< of the rendered rooms
    bool dense_labels;                    ///< the rendered rooms' keypoints and edges too
    int64_t render_height, render_width;  ///< of the rendered rooms
    int64_t resize_height, resize_width;  ///< files: frames are resized to this first; 0 = as they are
    TransformOptions transform;
    int64_t workers;
    bool cache;
};

struct TrainRecipe {
    OptimizerConfig optimizer;
    LearningRateSchedule learning_rate_schedule;
    UpdateOptions update;
    double ema_decay = 0.0;              ///< of WeightAverage; 0: none
    int64_t check_finite_every = 0;      ///< iterations, see FiniteGuard; 0: never
    int64_t count_subnormals_every = 0;  ///< iterations, see SubnormalCounts; 0: never
    int64_t iterations;
    int64_t batch_size;  ///< of a mini-batch
    int64_t evaluate_every;
    Selection selection;  ///< which evaluation is reported

    /// Whether frames that are held out of training are looked at.
    bool looks_at_held_out() const {
        return !selection.on_test && (evaluate_every > 0 || !selection.is_last);
    }
};

/// Which of the architectures that a pruning stage went through.
struct ArchitectureChoice {
    double parameters_fraction = 0;  ///< of the dense network: the event nearest to it
    std::optional<int64_t> event;    ///< or this one; 0 = dense
};

/// constant: the best predictions that ignore the image, the yardsticks. train: from initialisation. prune:
/// iteratively, from a trained network. retrain: an architecture of a pruning stage, from initialisation.
enum class StageKind { constant, train, prune, retrain };

/// A named step of an experiment, to be run with every seed (constant: once).
struct StageRecipe {
    StageKind kind = StageKind::constant;
    std::string name;
    std::string strategy;               ///< for the table of results; a strategy's or the stage's name
    std::string from;                   ///< the stage it starts from; empty: none
    std::optional<uint64_t> from_seed;  ///< that stage's seed; empty: its own
    TrainRecipe training;               ///< of channels that are pruned, `iterations` is a cap (0 = none)
    Strategy prune;
    ArchitectureChoice architecture;  ///< retrain
    nlohmann::json recipe;            ///< all keys but those that name stages, defaults included

    /// A prune stage that masks weights for all its iterations, instead of removing channels.
    bool masks_weights() const { return !prune.weight_masking.empty(); }
};

struct Experiment {
    std::string name, description;
    DataConfig data;
    ModelSpec model;
    std::string
        weights;  ///< file that networks are trained from (load_weights()); empty: drawn from the seed
    Fidelities fidelity;
    std::string device;  ///< "cpu" or "cuda"
    int64_t threads_per_stage;
    std::vector<uint64_t> seeds;
    std::vector<StageRecipe> stages;  ///< a stage comes after the one that it starts from
    std::optional<FigureStages>
        figures;             ///< which stages figures and claims are about; empty: none are drawn
    nlohmann::json margins;  ///< equivalence margins of the claims
    std::vector<std::string> differences;  ///< what differs from the paper, for the report
    nlohmann::json canonical;              ///< the complete description, defaults included
};

/// Reads and checks an experiment. `place` names the file in errors. `overrides` ("data.path" -> value)
/// replace keys before reading. The stages stand under "stages" (see read_stages), or are those of the
/// paper's experiment, given by the sections "dense", "prune" and "retrain" (see expand_template).
Experiment read_experiment(const std::string& json_text, const std::string& place,
                           const std::vector<std::pair<std::string, nlohmann::json>>& overrides = {});

/// First 16 hex digits of the SHA-256 of the JSON's canonical text (sorted keys, no spaces).
std::string config_hash(const nlohmann::json& config);

/// "corrected", "as_released", or which quirks are as released: "as_released: losses, update".
std::string fidelity_text(const Fidelities& fidelity);

/// "constant", "train", "prune", "retrain".
const EnumNames<StageKind>& stage_kinds();

}  // namespace mtlprune
