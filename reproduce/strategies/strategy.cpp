#include "reproduce/strategies/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pruning/allocation/option_names.h"
#include "pruning/criteria/criterion.h"
#include "pruning/masks/weight_masking.h"
#include "pruning/regularizers/regularizer.h"
#include "pruning/schedules/iterative_pruner.h"
#include "reproduce/resources.h"

namespace mtlprune {
namespace {

constexpr int64_t kMostChannels = 1'000'000'000;

const EnumNames<BudgetUnit> kBudgets = {{BudgetUnit::count, "count"},
                                        {BudgetUnit::channels, "channels"},
                                        {BudgetUnit::parameters, "parameters"},
                                        {BudgetUnit::macs, "macs"}};

Budget read_budget(const nlohmann::json& json, const std::string& place) {
    if (!json.is_object() || json.size() != 1)
        throw Error("configuration", place,
                    "an object with one of the keys count, channels, parameters, macs",
                    json.dump().substr(0, 40));
    JsonReader reader(json, place);
    const auto key = json.begin().key();
    const auto unit = kBudgets.value(key, place);
    const bool share = unit == BudgetUnit::channels;
    const double most = share ? 1.0 : static_cast<double>(kMostChannels) * 1e6;
    return {unit, reader.number(key, 0.0, unit == BudgetUnit::count ? 1.0 : 0.0, most)};
}

AllocationOptions read_allocation(JsonReader reader) {
    AllocationOptions options;
    options.scope = reader.choice("scope", RankingScope::global, ranking_scopes());
    options.budget =
        read_budget(reader.get<nlohmann::json>("budget", {{"count", 100}}), reader.place() + ": budget");
    options.only = reader.get("only", options.only);
    options.ignore = reader.get("ignore", options.ignore);
    if (reader.choice("part", "shared", {"shared", "all"}) == "shared" && options.only.empty())
        options.only = {kSharedGroups};
    options.min_channels = reader.integer("min_channels", 5, 0, kMostChannels);
    options.may_empty = options.min_channels == 0;
    options.max_ratio = reader.number("max_ratio", 1.0, 0.0, 1.0);
    options.round_to = reader.integer("round_to", 1, 1, 4096);
    reader.finish();
    return options;
}

/// The entries that a strategy names are checked where it is read.
template <typename Kinds>
void check_entry(const Kinds& kinds, const std::string& text, const std::string& place) {
    try {
        kinds.make(text);
    } catch (const Error& error) {
        throw Error("configuration", place, error.problem());
    }
}

std::filesystem::path strategies_folder() {
    return resource_folder() / "strategies";
}

/// A name that is no strategy's.
void require_criterion(const std::string& name, const std::string& place) {
    const auto keys = criteria().keys();
    const auto key = parse_choice("strategy", name).key;
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
    std::set<std::string> known(keys.begin(), keys.end());
    for (const auto& strategy : strategy_names()) known.insert(strategy);
    throw Error("configuration", place + ": strategy",
                unknown_key("strategy", name, {known.begin(), known.end()}).problem());
}

/// All keys but those of read_strategy() itself.
void read_channel_pruning(JsonReader& reader, Strategy& strategy) {
    const auto& place = reader.place();
    strategy.criterion = reader.require<std::string>("criterion");
    check_entry(criteria(), strategy.criterion, place + ": criterion");
    strategy.regularizer = reader.get<std::string>("regularizer", "");
    if (strategy.regularizer.empty())
        reader.leave_out("regularizer");
    else
        check_entry(regularizers(), strategy.regularizer, place + ": regularizer");
    auto schedule = reader.child("schedule");
    strategy.schedule.frequency = schedule.integer("frequency", 500, 1, kMostChannels);
    strategy.schedule.events = schedule.integer("events", 0, 0, kMostChannels);
    strategy.schedule.pace = schedule.choice("pace", Pace::each, paces());
    if (strategy.schedule.pace == Pace::each) schedule.leave_out("pace");
    constexpr int64_t kObserved = 10;
    strategy.schedule.observed = schedule.integer("observed", kObserved, 1, kMostChannels);
    if (strategy.schedule.observed == kObserved) schedule.leave_out("observed");
    schedule.finish();
    strategy.allocation = read_allocation(reader.child("allocation"));
    const bool approached = strategy.schedule.pace != Pace::each;
    if (approached && strategy.schedule.events == 0)
        throw Error("configuration", place + ": schedule: events", "how many events approach the budget",
                    "0");
    if (approached && strategy.allocation.budget.unit == BudgetUnit::count)
        throw Error("configuration", place + ": allocation: budget",
                    "a share of the channels, parameters or MACs (pace each takes a count at every event)",
                    "a count");
    strategy.edit = reader.choice("edit", EditKind::remove, edit_kinds());
    if (strategy.allocation.may_empty && strategy.edit == EditKind::remove)
        throw Error("configuration", place + ": allocation: min_channels",
                    "at least 1 (a layer without channels cannot be removed)", "0");
    strategy.reset_optimizer = reader.get<bool>("reset_optimizer", false);
}

/// Keys of channels say nothing about weights.
void require_alone(const JsonReader& reader) {
    for (const auto& key : strategy_keys())
        if (key != "weight_masking" && reader.has(key))
            throw Error("configuration", reader.place() + ": " + key,
                        "nothing beside weight_masking, which masks weights and removes no channels",
                        "the key");
}

}  // namespace

const std::vector<std::string>& strategy_keys() {
    static const std::vector<std::string> keys = {
        "criterion", "regularizer", "schedule", "allocation", "edit", "reset_optimizer", "weight_masking"};
    return keys;
}

Strategy read_strategy(const nlohmann::json& json, const std::string& place) {
    JsonReader reader(json, place);
    Strategy strategy;
    strategy.summary = reader.get<std::string>("summary", "");
    strategy.paper = reader.get<std::string>("paper", "");
    strategy.weight_masking = reader.get<std::string>("weight_masking", "");
    if (strategy.weight_masking.empty()) {
        reader.leave_out("weight_masking");
        read_channel_pruning(reader, strategy);
    } else {
        require_alone(reader);
        check_entry(weight_maskings(), strategy.weight_masking, place + ": weight_masking");
    }
    reader.finish();
    strategy.json = reader.resolved();
    for (const char* key : {"summary", "paper"}) strategy.json.erase(key);
    return strategy;
}
Strategy named_strategy(const std::string& name, const nlohmann::json& changes, const std::string& place) {
    nlohmann::json json = {{"criterion", name}};
    const auto names = strategy_names();
    if (std::find(names.begin(), names.end(), name) != names.end()) {
        const auto file = strategies_folder() / (name + ".json");
        json = parse_json(read_file(file, "strategy"), file.string());
    } else {
        require_criterion(name, place);
    }
    for (const auto& [key, value] : changes.items()) {
        if (json.contains(key) && json[key].is_object() && value.is_object())
            json[key].update(value);
        else
            json[key] = value;
    }
    return read_strategy(json, place);
}

std::vector<std::string> strategy_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(strategies_folder()))
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace mtlprune
