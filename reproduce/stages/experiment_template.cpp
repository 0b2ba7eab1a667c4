// The paper's experiment, written out as stages.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reproduce/stages/retraining.h"
#include "reproduce/stages/stage_recipes.h"

namespace mtlprune {
namespace {

/// What a training of the dense network cannot have.
constexpr std::array kArmKeys = {"start", "length", "max_iterations", "distillation"};

/// An entry of retrain.targets.
struct RetrainTarget {
    double parameters_fraction = 0;
    std::map<std::string, int64_t> events;  ///< or explicit events per strategy
    std::map<std::string, double> lr;       ///< per strategy; empty: the recipe's

    /// The dense architecture whatever the strategy: it is trained once and counts for all.
    bool dense() const {
        return parameters_fraction == 1.0 ||
               (!events.empty() && std::all_of(events.begin(), events.end(),
                                               [](const auto& event) { return event.second == 0; }));
    }
    /// Explicit events may name one strategy only (an architecture without a partner of similar size).
    bool counts_for(const std::string& strategy) const {
        return dense() || events.empty() || events.contains(strategy);
    }
};

template <typename T>
std::map<std::string, T> per_strategy(JsonReader& reader, const std::string& key) {
    const auto values = reader.get(key, std::map<std::string, T>{});
    for (const auto& [strategy, value] : values)
        named_strategy(strategy, {}, reader.place());  // throws when there is none
    return values;
}

std::vector<RetrainTarget> read_targets(const nlohmann::json& list, const std::string& place) {
    if (!list.is_array()) throw Error("configuration", place, "a list", list.dump().substr(0, 40));
    std::vector<RetrainTarget> targets;
    for (size_t i = 0; i < list.size(); ++i) {
        JsonReader reader(list[i], fmt::format("{}[{}]", place, i));
        RetrainTarget target;
        target.parameters_fraction = reader.number("parameters_fraction", 0.0, 0.0, 1.0);
        target.events = per_strategy<int64_t>(reader, "events");
        target.lr = per_strategy<double>(reader, "lr");
        reader.finish();
        if (target.parameters_fraction == 0.0 && target.events.empty())
            throw Error("configuration", reader.place(), "parameters_fraction or events", "neither");
        targets.push_back(std::move(target));
    }
    return targets;
}

/// The three sections: typed where their content decides which stages there are, else as complete JSON
/// recipes.
struct Sections {
    nlohmann::json dense, prune, retrain;
    std::vector<std::string> strategies;
    std::vector<RetrainTarget> targets;
    int64_t architecture_seed = -1;
};

Sections read_sections(JsonReader& experiment) {
    Sections sections;
    auto dense = experiment.child("dense");
    read_recipe(dense, 1);
    dense.finish();
    sections.dense = dense.resolved();
    auto prune = experiment.child("prune");
    sections.strategies = prune.get<std::vector<std::string>>("strategies", {"taylor", "cosprune"});
    require_distinct(sections.strategies, prune.place() + ": strategies");
    const auto changes = strategy_changes(prune);
    for (const auto& strategy : sections.strategies)
        named_strategy(strategy, changes, prune.place());  // throws on what is wrong
    read_recipe(prune, 0);
    if (!prune.get<bool>("keep_networks", false)) prune.leave_out("keep_networks");
    prune.finish();
    sections.prune = prune.resolved();
    sections.prune.erase("strategies");
    auto retrain = experiment.child("retrain");
    sections.targets =
        read_targets(retrain.get("targets", nlohmann::json::array()), retrain.place() + ": targets");
    read_recipe(retrain, sections.targets.empty() ? 0 : 1);
    read_retraining_arm(retrain);
    sections.architecture_seed = retrain.integer("architecture_seed", -1, -1, 1'000'000'000);
    retrain.finish();
    sections.retrain = retrain.resolved();
    for (const char* key : {"targets", "architecture_seed"}) sections.retrain.erase(key);
    return sections;
}

nlohmann::json dense_again(const Sections& sections, const RetrainTarget& target) {
    auto stage = sections.retrain;
    stage["kind"] = "train";
    stage["strategy"] = "dense";
    for (const char* key : kArmKeys) stage.erase(key);
    for (const auto& [strategy, lr] : target.lr) stage["optimizer"]["lr"] = lr;
    return stage;
}

nlohmann::json retrain_stage(const Sections& sections, const RetrainTarget& target,
                             const std::string& strategy) {
    auto stage = sections.retrain;
    stage["kind"] = "retrain";
    stage["strategy"] = strategy;
    stage["from"] = "prune-" + strategy;
    if (sections.architecture_seed >= 0) stage["from_seed"] = sections.architecture_seed;
    if (target.events.contains(strategy))
        stage["event"] = target.events.at(strategy);
    else
        stage["parameters_fraction"] = target.parameters_fraction;
    if (target.lr.contains(strategy)) stage["optimizer"]["lr"] = target.lr.at(strategy);
    return stage;
}

}  // namespace

nlohmann::json expand_template(JsonReader& experiment) {
    const auto sections = read_sections(experiment);
    nlohmann::json stages = {{"constant", {{"kind", "constant"}}}, {"dense", sections.dense}};
    stages["dense"]["kind"] = "train";
    FigureStages figures{"constant", "dense", {}, {}};
    for (const auto& strategy : sections.strategies) {
        auto& stage = stages["prune-" + strategy] = sections.prune;
        stage["kind"] = "prune";
        stage["from"] = "dense";
        stage["strategy"] = strategy;
        figures.iterative.push_back({strategy, "prune-" + strategy});
    }
    for (size_t t = 0; t < sections.targets.size(); ++t) {
        const auto& target = sections.targets[t];
        for (const auto& strategy : sections.strategies) {
            if (!target.counts_for(strategy)) continue;
            const auto name = fmt::format("retrain-{}-{}", target.dense() ? "dense" : strategy, t);
            stages[name] =
                target.dense() ? dense_again(sections, target) : retrain_stage(sections, target, strategy);
            figures.retrained.push_back({static_cast<int64_t>(t), strategy, name});
        }
    }
    return {{"stages", stages}, {"figures", figure_stages_to_json(figures)}};
}

}  // namespace mtlprune
