#include "reproduce/stages/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/atomic_file.h"
#include "base/enum_names.h"
#include "base/json_reader.h"
#include "datasets/layouts/open_dataset.h"
#include "reproduce/stages/stage_recipes.h"

namespace mtlprune {
namespace {

constexpr int64_t kMany = 1'000'000'000;

const EnumNames<Augmentation> kAugmentations = {
    {Augmentation::corrected, "corrected"}, {Augmentation::paper, "paper"}, {Augmentation::none, "none"}};
const EnumNames<ImageScaling> kImageScalings = {{ImageScaling::unit, "unit"}, {ImageScaling::paper, "paper"}};
const EnumNames<NormalsTarget> kNormalsTargets = {{NormalsTarget::true_angles, "true_angles"},
                                                  {NormalsTarget::paper_codes, "paper_codes"}};
const EnumNames<Fidelity> kFidelities = {{Fidelity::corrected, "corrected"},
                                         {Fidelity::as_released, "as_released"}};

TransformOptions read_transform(JsonReader& reader) {
    TransformOptions options;
    options.height = reader.integer("height", 321, 16, 4096);
    options.width = reader.integer("width", 321, 16, 4096);
    options.augmentation = reader.choice("augmentation", Augmentation::corrected, kAugmentations);
    options.image = reader.choice("image", ImageScaling::unit, kImageScalings);
    options.normals = reader.choice("normals", NormalsTarget::true_angles, kNormalsTargets);
    return options;
}

/// What is wrong with a key is said with the layout's own keys, of which the reader knows only those that
/// were given.
void finish_data(const JsonReader& reader, const DatasetLayout& layout) {
    try {
        reader.finish();
    } catch (const Error& error) {
        std::vector<std::string> names;
        for (const auto& option : layout.options) names.push_back(option.name);
        throw Error("configuration", error.place(),
                    error.problem() + (names.empty() ? ""
                                                     : fmt::format("; {} has the keys {} too", layout.name,
                                                                   fmt::join(names, ", "))));
    }
}

DataConfig read_data(JsonReader reader) {
    DataConfig data;
    data.kind = reader.choice("kind", "synthetic_rooms", dataset_layout_names());
    const auto& layout = dataset_layout(data.kind);
    data.path = reader.get<std::string>("path", "");
    if (layout.needs_folder && data.path.empty())
        throw Error("configuration", reader.place() + ": path",
                    fmt::format("the folder of the data set (or --data {}=DIR)", data.kind), "nothing");
    data.tasks = reader.get("tasks", data.tasks);
    data.classes = reader.integer("classes", layout.classes, 0, 255);
    for (const auto& option : layout.options)  // only what is given, as the description identifies runs
        if (reader.has(option.name))
            data.options[option.name] = reader.get<nlohmann::json>(option.name, option.fallback);
    complete_layout_options(layout, data.options);
    data.train = reader.integer("train", 0, 0, kMany);
    data.test = reader.integer("test", 0, 0, kMany);
    data.validation = reader.number("validation", 0.0, 0.0, 0.5);
    if (data.validation == 0.0) reader.leave_out("validation");
    data.seed = static_cast<uint64_t>(reader.integer("seed", 0, 0, kMany));
    data.dense_labels = reader.get<bool>("dense_labels", false);
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
    finish_data(reader, layout);
    return data;
}

/// "corrected", "as_released", or an object that says it for each quirk.
Fidelities read_fidelity(JsonReader& reader) {
    const auto value = reader.get<nlohmann::json>("fidelity", "corrected");
    const auto place = reader.place() + ": fidelity";
    if (value.is_string()) return Fidelities::all(kFidelities.value(value.get<std::string>(), place));
    JsonReader quirks(value, place);
    Fidelities fidelity;
    fidelity.losses = quirks.choice("losses", Fidelity::corrected, kFidelities);
    fidelity.metrics = quirks.choice("metrics", Fidelity::corrected, kFidelities);
    fidelity.update = quirks.choice("update", Fidelity::corrected, kFidelities);
    fidelity.criteria = quirks.choice("criteria", Fidelity::corrected, kFidelities);
    quirks.finish();
    return fidelity;
}

/// By quirk.
std::vector<std::pair<std::string, Fidelity>> quirks_of(const Fidelities& fidelity) {
    return {{"losses", fidelity.losses},
            {"metrics", fidelity.metrics},
            {"update", fidelity.update},
            {"criteria", fidelity.criteria}};
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
    std::vector<std::string> words;
    for (const auto& seed : list) {
        if (!seed.is_number_integer() || (!seed.is_number_unsigned() && seed.get<int64_t>() < 0))
            throw Error("configuration", place, "integers >= 0", seed.dump());
        seeds.push_back(seed.get<uint64_t>());
        words.push_back(seed.dump());
    }
    require_distinct(words, place);
    return seeds;
}

/// Stages and figures, written out or as the sections of the template.
void read_graph(JsonReader& reader, Experiment& experiment) {
    if (!reader.has("stages")) {
        const auto graph = expand_template(reader);
        experiment.stages = read_stages(graph.at("stages"), reader.place() + ": stages");
        experiment.figures = read_figure_stages(graph.at("figures"), reader.place() + ": figures");
    } else {
        const auto stages = reader.require<nlohmann::json>("stages");
        experiment.stages = read_stages(stages, reader.place() + ": stages");
        if (reader.has("figures"))
            experiment.figures =
                read_figure_stages(reader.require<nlohmann::json>("figures"), reader.place() + ": figures");
    }
    if (experiment.figures) require_known_stages(*experiment.figures, experiment.stages, reader.place());
}

/// Frames that nobody looks at would be lost for training.
void hold_out_where_looked_at(const nlohmann::json& data, Experiment& experiment) {
    constexpr double kUsual = 0.1;
    for (const auto& stage : experiment.stages) {
        if (stage.kind == StageKind::constant || !stage.training.looks_at_held_out()) continue;
        if (!data.contains("validation")) experiment.data.validation = kUsual;
        if (experiment.data.validation > 0.0) return;
        throw Error(
            "configuration", "data: validation",
            fmt::format("a share > 0, since stage {} has evaluate_every or a selection (\"selection\": "
                        "\"paper\" looks at the test split)",
                        stage.name),
            "0");
    }
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
    experiment.model =
        parse_model_spec(reader.get<std::string>("model", "vgg16/smallaspp"), place + ": model");
    experiment.weights = reader.get<std::string>("weights", "");
    experiment.fidelity = read_fidelity(reader);
    experiment.device = reader.choice("device", "cpu", {"cpu", "cuda"});
    experiment.threads_per_stage = reader.integer("threads_per_stage", 1, 1, 1024);
    experiment.seeds = read_seeds(reader);
    read_graph(reader, experiment);
    hold_out_where_looked_at(json.value("data", nlohmann::json::object()), experiment);
    experiment.margins = reader.get("margins", nlohmann::json::object());
    experiment.differences = reader.get<std::vector<std::string>>("differences", {});
    reader.finish();
    experiment.canonical = reader.resolved();
    if (experiment.data.validation > 0.0)
        experiment.canonical["data"]["validation"] = experiment.data.validation;
    experiment.canonical["model"] = experiment.model.text();
    auto& fidelity = experiment.canonical["fidelity"] = nlohmann::json::object();
    for (const auto& [quirk, value] : quirks_of(experiment.fidelity))
        fidelity[quirk] = kFidelities.name(value);
    return experiment;
}

std::string config_hash(const nlohmann::json& config) {
    return sha256_hex(config.dump()).substr(0, 16);
}

std::string fidelity_text(const Fidelities& fidelity) {
    for (const auto all : {Fidelity::corrected, Fidelity::as_released})
        if (fidelity == Fidelities::all(all)) return kFidelities.name(all);
    std::string released;
    for (const auto& [quirk, value] : quirks_of(fidelity))
        if (value == Fidelity::as_released) released += (released.empty() ? "" : ", ") + quirk;
    return "as_released: " + released;
}

const EnumNames<StageKind>& stage_kinds() {
    static const EnumNames<StageKind> names = {{StageKind::constant, "constant"},
                                               {StageKind::train, "train"},
                                               {StageKind::prune, "prune"},
                                               {StageKind::retrain, "retrain"}};
    return names;
}

const EnumNames<RetrainStart>& retrain_starts() {
    static const EnumNames<RetrainStart> names = {{RetrainStart::scratch, "scratch"},
                                                  {RetrainStart::fine_tune, "fine_tune"},
                                                  {RetrainStart::rewind, "rewind"}};
    return names;
}

const EnumNames<RetrainLength>& retrain_lengths() {
    static const EnumNames<RetrainLength> names = {{RetrainLength::iterations, "iterations"},
                                                   {RetrainLength::macs, "macs"}};
    return names;
}

}  // namespace mtlprune
