#include "reproduce/experiment.h"

#include <fmt/format.h>

#include "datasets/atomic_file.h"
#include "datasets/config.h"

namespace mtlprune {
namespace {

constexpr int64_t kMany = 1'000'000'000;

TransformOptions read_transform(ConfigReader& reader) {
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

DataConfig read_data(ConfigReader reader) {
    DataConfig data;
    data.kind = reader.choice("kind", "synthetic_rooms", {"synthetic_rooms", "adashare"});
    data.path = reader.get<std::string>("path", "");
    if (data.kind == "adashare" && data.path.empty())
        throw Error("configuration", reader.place() + ": path",
                    "the folder of nyu_v2_3task.json (or --data nyuv2=DIR)", "nothing");
    data.classes = reader.integer("classes", data.kind == "adashare" ? 40 : 13, 2, 255);
    data.train = reader.integer("train", 0, 0, kMany);
    data.test = reader.integer("test", 0, 0, kMany);
    data.seed = static_cast<uint64_t>(reader.integer("seed", 0, 0, kMany));
    data.transform = read_transform(reader);
    data.render_height = reader.integer("render_height", data.transform.height, 16, 4096);
    data.render_width = reader.integer("render_width", data.transform.width, 16, 4096);
    data.resize_height = reader.integer("resize_height", 0, 0, 4096);
    data.resize_width = reader.integer("resize_width", 0, 0, 4096);
    if ((data.resize_height == 0) != (data.resize_width == 0))
        throw Error("configuration", reader.place(), "both resize_height and resize_width, or neither", "one of them");
    data.workers = reader.integer("workers", 0, 0, 256);
    data.cache = reader.get<bool>("cache", false);
    reader.finish();
    return data;
}

ModelConfig read_model(ConfigReader reader, int64_t classes) {
    ModelConfig model;
    model.widths = reader.get("widths", model.widths);
    model.pool_after = reader.get("pool_after", model.pool_after);
    model.head_width = reader.integer("head_width", 1024, 1, 65536);
    model.dropout = reader.number("dropout", 0.5, 0.0, 0.95);
    model.tasks = nyuv2_tasks(classes);
    reader.finish();
    return model;
}

TrainRecipe read_recipe(ConfigReader& reader) {
    TrainRecipe recipe;
    recipe.optimizer = read_optimizer(reader.child("optimizer"));
    recipe.schedule = read_schedule(reader.child("schedule"));
    recipe.iterations = reader.integer("iterations", 0, 0, kMany);
    recipe.batch_size = reader.integer("batch_size", 16, 1, 4096);
    recipe.schedule_every = reader.integer("schedule_every", 1, 1, kMany);
    recipe.evaluate_every = reader.integer("evaluate_every", 0, 0, kMany);
    recipe.selection = reader.choice("selection", "last", {"last", "best_loss", "best_pixel_accuracy"});
    return recipe;
}

PruneRecipe read_prune(ConfigReader reader) {
    PruneRecipe prune;
    prune.criteria = reader.get<std::vector<std::string>>("criteria", {"taylor", "cosprune"});
    prune.training = read_recipe(reader);
    prune.frequency = reader.integer("frequency", 500, 1, kMany);
    prune.filters_per_event = reader.integer("filters_per_event", 100, 1, kMany);
    prune.floor = reader.integer("floor", 5, 1, kMany);
    prune.reset_optimizer = reader.get<bool>("reset_optimizer", false);
    prune.removal = reader.choice("removal", "physical", {"physical", "mask"});
    reader.finish();
    return prune;
}

std::vector<RetrainTarget> read_targets(const nlohmann::json& list, const std::string& place) {
    std::vector<RetrainTarget> targets;
    for (size_t i = 0; i < list.size(); ++i) {
        ConfigReader reader(list[i], fmt::format("{}[{}]", place, i));
        RetrainTarget target;
        target.parameters_fraction = reader.number("parameters_fraction", 0.0, 0.0, 1.0);
        for (const auto& [criterion, event] : reader.get("events", std::map<std::string, int64_t>{}))
            target.events.emplace_back(criterion, event);
        for (const auto& [criterion, lr] : reader.get("lr", std::map<std::string, double>{}))
            target.lr.emplace_back(criterion, lr);
        reader.finish();
        if (target.parameters_fraction == 0.0 && target.events.empty())
            throw Error("configuration", reader.place(), "parameters_fraction or events", "neither");
        targets.push_back(std::move(target));
    }
    return targets;
}

RetrainRecipe read_retrain(ConfigReader reader) {
    RetrainRecipe retrain;
    retrain.training = read_recipe(reader);
    retrain.targets =
        read_targets(reader.get("targets", nlohmann::json::array()), reader.place() + ": targets");
    const int64_t seed = reader.integer("architecture_seed", -1, -1, kMany);
    if (seed >= 0) retrain.architecture_seed = static_cast<uint64_t>(seed);
    reader.finish();
    return retrain;
}

void override_key(nlohmann::json& root, const std::string& path, const nlohmann::json& value) {
    nlohmann::json* node = &root;
    size_t start = 0;
    for (size_t dot; (dot = path.find('.', start)) != std::string::npos; start = dot + 1)
        node = &(*node)[path.substr(start, dot - start)];
    (*node)[path.substr(start)] = value;
}

}  // namespace

Experiment read_experiment(const std::string& json_text, const std::string& place,
                           const std::vector<std::pair<std::string, nlohmann::json>>& overrides) {
    auto json = parse_json(json_text, place);
    for (const auto& [path, value] : overrides) override_key(json, path, value);
    ConfigReader reader(json, place);
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
    experiment.seeds = reader.get<std::vector<uint64_t>>("seeds", {0});
    if (experiment.seeds.empty())
        throw Error("configuration", place + ": seeds", "at least one seed", "none");
    auto dense = reader.child("dense");
    experiment.dense = read_recipe(dense);
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
