#include "reproduce/stages/experiment.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "datasets/layouts/open_dataset.h"
#include "pruning/criteria/criterion.h"

namespace mtlprune {
namespace {

constexpr int64_t kMany = 1'000'000'000;

TransformOptions read_transform(JsonReader& reader) {
    TransformOptions options;
    options.height = reader.integer("height", 321, 16, 4096);
    options.width = reader.integer("width", 321, 16, 4096);
    const auto augmentation = reader.choice("augmentation", "corrected", {"corrected", "paper", "none"});
    options.augmentation = augmentation == "paper"  ? Augmentation::paper
                           : augmentation == "none" ? Augmentation::none
                                                    : Augmentation::corrected;
    options.image = reader.choice("image", "unit", {"unit", "paper"}) == "paper" ? ImageScaling::paper
                                                                                 : ImageScaling::unit;
    options.normals = reader.choice("normals", "true_angles", {"true_angles", "paper_codes"}) == "paper_codes"
                          ? NormalsTarget::paper_codes
                          : NormalsTarget::true_angles;
    return options;
}

/// Names and aliases of the layouts that have, or may turn out to have, the experiments' tasks.
std::vector<std::string> fitting_layouts() {
    std::vector<std::string> names;
    for (const auto& layout : dataset_layouts()) {
        if (!layout.nyuv2_tasks) continue;
        names.push_back(layout.name);
        names.insert(names.end(), layout.aliases.begin(), layout.aliases.end());
    }
    return names;
}

DataConfig read_data(JsonReader reader) {
    DataConfig data;
    data.kind = reader.choice("kind", "synthetic_rooms", fitting_layouts());
    const auto& layout = dataset_layout(data.kind);
    data.path = reader.get<std::string>("path", "");
    if (layout.needs_folder && data.path.empty())
        throw Error("configuration", reader.place() + ": path",
                    fmt::format("the folder of the data set (or --data {}=DIR)", data.kind), "nothing");
    data.classes = reader.integer("classes", layout.classes == 0 ? 40 : layout.classes, 2, 255);
    data.train = reader.integer("train", 0, 0, kMany);
    data.test = reader.integer("test", 0, 0, kMany);
    data.seed = static_cast<uint64_t>(reader.integer("seed", 0, 0, kMany));
    data.transform = read_transform(reader);
    data.render_height = reader.integer("render_height", data.transform.height, 16, 4096);
    data.render_width = reader.integer("render_width", data.transform.width, 16, 4096);
    data.resize_height = reader.integer("resize_height", 0, 0, 4096);
    data.resize_width = reader.integer("resize_width", 0, 0, 4096);
    if ((data.resize_height == 0) != (data.resize_width == 0))
        throw Error("configuration", reader.place(), "both resize_height and resize_width, or neither",
                    "one of them");
    data.workers = reader.integer("workers", 0, 0, 256);
    data.cache = reader.get<bool>("cache", false);
    reader.finish();
    return data;
}

ModelConfig read_model(JsonReader reader, int64_t classes) {
    ModelConfig model;
    model.widths = reader.get("widths", model.widths);
    model.pool_after = reader.get("pool_after", model.pool_after);
    model.head_width = reader.integer("head_width", 1024, 1, 65536);
    model.dropout = reader.number("dropout", 0.5, 0.0, 0.95);
    model.tasks = nyuv2_tasks(classes);
    const auto layers = static_cast<int64_t>(model.widths.size());
    if (layers == 0 || *std::min_element(model.widths.begin(), model.widths.end()) < 1)
        throw Error("configuration", reader.place() + ": widths", "one positive integer per convolution",
                    nlohmann::json(model.widths).dump());
    for (const int64_t layer : model.pool_after)
        if (layer < 1 || layer > layers)
            throw Error("configuration", reader.place() + ": pool_after",
                        fmt::format("numbers of convolutions, 1..{}", layers), std::to_string(layer));
    reader.finish();
    return model;
}

/// `least_iterations` is 1 where a network must come out of the training.
TrainRecipe read_recipe(JsonReader& reader, int64_t least_iterations) {
    TrainRecipe recipe;
    recipe.optimizer = read_optimizer(reader.child("optimizer"));
    recipe.schedule = read_schedule(reader.child("schedule"));
    recipe.iterations = reader.integer("iterations", 0, least_iterations, kMany);
    recipe.batch_size = reader.integer("batch_size", 16, 1, 4096);
    recipe.schedule_every = reader.integer("schedule_every", 1, 1, kMany);
    recipe.evaluate_every = reader.integer("evaluate_every", 0, 0, kMany);
    recipe.selection = reader.choice("selection", "last", {"last", "best_loss", "best_pixel_accuracy"});
    return recipe;
}

/// Equal entries would be the same run directory twice.
template <typename T>
void require_distinct(std::vector<T> entries, const std::string& place) {
    std::sort(entries.begin(), entries.end());
    const auto twice = std::adjacent_find(entries.begin(), entries.end());
    if (twice != entries.end())
        throw Error("configuration", place, "different entries", fmt::format("{} twice", *twice));
}

PruneRecipe read_prune(JsonReader reader) {
    PruneRecipe prune;
    prune.criteria = reader.get<std::vector<std::string>>("criteria", {"taylor", "cosprune"});
    for (const auto& criterion : prune.criteria)
        make_criterion(criterion);  // throws when there is no such one
    require_distinct(prune.criteria, reader.place() + ": criteria");
    prune.training = read_recipe(reader, 0);
    prune.frequency = reader.integer("frequency", 500, 1, kMany);
    prune.filters_per_event = reader.integer("filters_per_event", 100, 1, kMany);
    prune.floor = reader.integer("floor", 5, 1, kMany);
    prune.reset_optimizer = reader.get<bool>("reset_optimizer", false);
    prune.removal = reader.choice("removal", "physical", {"physical", "mask"});
    reader.finish();
    return prune;
}

std::vector<RetrainTarget> read_targets(const nlohmann::json& list, const std::string& place) {
    if (!list.is_array()) throw Error("configuration", place, "a list", list.dump().substr(0, 40));
    std::vector<RetrainTarget> targets;
    for (size_t i = 0; i < list.size(); ++i) {
        JsonReader reader(list[i], fmt::format("{}[{}]", place, i));
        RetrainTarget target;
        target.parameters_fraction = reader.number("parameters_fraction", 0.0, 0.0, 1.0);
        for (const auto& [criterion, event] : reader.get("events", std::map<std::string, int64_t>{})) {
            make_criterion(criterion);
            target.events.emplace_back(criterion, event);
        }
        for (const auto& [criterion, lr] : reader.get("lr", std::map<std::string, double>{})) {
            make_criterion(criterion);
            target.lr.emplace_back(criterion, lr);
        }
        reader.finish();
        if (target.parameters_fraction == 0.0 && target.events.empty())
            throw Error("configuration", reader.place(), "parameters_fraction or events", "neither");
        targets.push_back(std::move(target));
    }
    return targets;
}

RetrainRecipe read_retrain(JsonReader reader) {
    RetrainRecipe retrain;
    retrain.targets =
        read_targets(reader.get("targets", nlohmann::json::array()), reader.place() + ": targets");
    retrain.training = read_recipe(reader, retrain.targets.empty() ? 0 : 1);
    const int64_t seed = reader.integer("architecture_seed", -1, -1, kMany);
    if (seed >= 0) retrain.architecture_seed = static_cast<uint64_t>(seed);
    reader.finish();
    return retrain;
}

void override_key(nlohmann::json& root, const std::string& path, const nlohmann::json& value) {
    nlohmann::json* node = &root;
    const auto enter = [&](size_t start, size_t end) {
        if (!node->is_object() && !node->is_null())
            throw Error("configuration", "override of " + path,
                        fmt::format("an object {{...}} at '{}'", path.substr(0, start == 0 ? 0 : start - 1)),
                        node->dump().substr(0, 40));
        node = &(*node)[path.substr(start, end == std::string::npos ? end : end - start)];
    };
    size_t start = 0;
    for (size_t dot; (dot = path.find('.', start)) != std::string::npos; start = dot + 1) enter(start, dot);
    enter(start, std::string::npos);
    *node = value;
}

/// Reading a negative number or a fraction as uint64_t would silently give another seed.
std::vector<uint64_t> read_seeds(JsonReader& reader) {
    const auto list = reader.get<nlohmann::json>("seeds", {0});
    const auto place = reader.place() + ": seeds";
    if (!list.is_array() || list.empty())
        throw Error("configuration", place, "a list of at least one seed", list.dump());
    std::vector<uint64_t> seeds;
    for (const auto& seed : list) {
        if (!seed.is_number_integer() || (!seed.is_number_unsigned() && seed.get<int64_t>() < 0))
            throw Error("configuration", place, "integers >= 0", seed.dump());
        seeds.push_back(seed.get<uint64_t>());
    }
    require_distinct(seeds, place);
    return seeds;
}

}  // namespace

Experiment read_experiment(const std::string& json_text, const std::string& place,
                           const std::vector<std::pair<std::string, nlohmann::json>>& overrides) {
    auto json = parse_json(json_text, place);
    for (const auto& [path, value] : overrides) override_key(json, path, value);
    JsonReader reader(json, place);
    Experiment experiment;
    experiment.name = reader.require<std::string>("name");
    experiment.description = reader.get<std::string>("description", "");
    experiment.data = read_data(reader.child("data"));
    experiment.model = read_model(reader.child("model"), experiment.data.classes);
    experiment.fidelity =
        reader.choice("fidelity", "corrected", {"corrected", "as_released"}) == "as_released"
            ? Fidelity::as_released
            : Fidelity::corrected;
    experiment.device = reader.choice("device", "cpu", {"cpu", "cuda"});
    experiment.threads_per_job = reader.integer("threads_per_job", 1, 1, 1024);
    experiment.seeds = read_seeds(reader);
    auto dense = reader.child("dense");
    experiment.dense = read_recipe(dense, 1);
    dense.finish();
    experiment.prune = read_prune(reader.child("prune"));
    experiment.retrain = read_retrain(reader.child("retrain"));
    experiment.margins = reader.get("margins", nlohmann::json::object());
    experiment.differences = reader.get<std::vector<std::string>>("differences", {});
    reader.finish();
    experiment.canonical = reader.resolved();
    return experiment;
}

std::string config_hash(const nlohmann::json& config) {
    return sha256_hex(fmt::format("schema {}\n{}", kSchemaVersion, config.dump())).substr(0, 16);
}

}  // namespace mtlprune
