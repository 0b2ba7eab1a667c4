#include "pruning/surgery/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

using Place = std::pair<std::string, int64_t>;  ///< tensor and dimension

std::vector<int64_t> checked_channels(const Group& group, std::vector<int64_t> channels,
                                      bool must_leave_some) {
    std::sort(channels.begin(), channels.end());
    if (channels.empty()) return channels;
    if (group.frozen)
        throw Error("plan", group.name, "a group that may shrink", "a frozen one (" + group.reason + ")");
    if (channels.front() < 0 || channels.back() >= group.channels)
        throw Error("plan", group.name, fmt::format("channels in 0..{}", group.channels - 1),
                    std::to_string(channels.front() < 0 ? channels.front() : channels.back()));
    if (const auto twice = std::adjacent_find(channels.begin(), channels.end()); twice != channels.end())
        throw Error("plan", group.name, "every channel once", fmt::format("channel {} twice", *twice));
    if (must_leave_some && static_cast<int64_t>(channels.size()) == group.channels)
        throw Error("plan", group.name, "at least one channel left",
                    fmt::format("all {} removed", group.channels));
    return channels;
}

/// Number of removed entries below `index`, or -1 when it is removed itself.
int64_t shift(const std::vector<int64_t>& removed, int64_t index) {
    const auto it = std::lower_bound(removed.begin(), removed.end(), index);
    return it != removed.end() && *it == index ? -1 : it - removed.begin();
}

std::vector<int64_t> ascending(JsonReader& reader, const std::string& key) {
    auto indices = reader.require<std::vector<int64_t>>(key);
    for (size_t i = 0; i < indices.size(); ++i)
        if (indices[i] < 0 || (i > 0 && indices[i] <= indices[i - 1]))
            throw Error("plan", reader.place() + ": " + key, "indices from 0 in ascending order",
                        std::to_string(indices[i]));
    return indices;
}

}  // namespace

Plan make_plan(const std::vector<Group>& groups, const std::vector<std::vector<int64_t>>& removed,
               EditKind edit) {
    if (removed.size() != groups.size())
        throw Error("plan", "removed channels", fmt::format("{} lists, one per group", groups.size()),
                    std::to_string(removed.size()));
    Plan plan{edit, {}, {}};
    std::map<Place, size_t> position;
    for (size_t g = 0; g < groups.size(); ++g) {
        auto channels = checked_channels(groups[g], removed[g], edit == EditKind::remove);
        if (channels.empty()) continue;
        for (const auto& member : groups[g].members) {
            const auto [it, is_new] = position.emplace(Place(member.tensor, member.dim), plan.slices.size());
            if (is_new) plan.slices.push_back({member.tensor, member.dim, {}});
            auto& indices = plan.slices[it->second].indices;
            for (const int64_t channel : channels) {
                const auto slices = member.channel(channel);
                indices.insert(indices.end(), slices.begin(), slices.end());
            }
        }
        plan.groups.push_back({groups[g].name, std::move(channels)});
    }
    for (auto& removal : plan.slices) std::sort(removal.indices.begin(), removal.indices.end());
    return plan;
}

void remove_channels(std::vector<Group>& groups, const Plan& plan) {
    std::map<Place, const Slices*> removals;
    for (const auto& removal : plan.slices) removals[{removal.tensor, removal.dim}] = &removal;
    for (auto& group : groups) {
        for (auto& member : group.members) {
            const auto found = removals.find({member.tensor, member.dim});
            if (found == removals.end()) continue;
            std::vector<int64_t> kept;
            for (const int64_t index : member.indices)
                if (const int64_t below = shift(found->second->indices, index); below >= 0)
                    kept.push_back(plan.edit == EditKind::remove ? index - below : index);
            member.indices = std::move(kept);
        }
        group.channels =
            static_cast<int64_t>(group.members.front().indices.size()) / group.members.front().per_channel;
    }
}

std::vector<Slices> slices_of_original(const std::vector<Plan>& steps) {
    std::vector<Slices> all;
    std::map<Place, size_t> position;
    for (const auto& step : steps)
        for (const auto& slices : step.slices) {
            const auto [it, is_new] = position.emplace(Place(slices.tensor, slices.dim), all.size());
            if (is_new) all.push_back({slices.tensor, slices.dim, {}});
            auto& left = all[it->second].indices;
            const auto before = left;
            for (int64_t index : slices.indices) {
                for (const int64_t earlier : before)
                    if (step.edit == EditKind::remove && earlier <= index) ++index;
                left.push_back(index);
            }
            std::sort(left.begin(), left.end());
        }
    return all;
}

void keep_channels(Group& group, const std::vector<int64_t>& channels) {
    for (auto& member : group.members) {
        std::vector<int64_t> kept;
        for (const int64_t channel : channels) {
            const auto slices = member.channel(channel);
            kept.insert(kept.end(), slices.begin(), slices.end());
        }
        member.indices = std::move(kept);
    }
    group.channels = static_cast<int64_t>(channels.size());
}

namespace {
const EnumNames<EditKind> kEditNames = {{EditKind::remove, "remove"}, {EditKind::mask, "mask"}};
}  // namespace

nlohmann::json slices_to_json(const std::vector<Slices>& slices) {
    auto list = nlohmann::json::array();
    for (const auto& item : slices)
        list.push_back({{"tensor", item.tensor}, {"dim", item.dim}, {"indices", item.indices}});
    return list;
}

nlohmann::json plan_to_json(const Plan& plan) {
    auto groups = nlohmann::json::array();
    for (const auto& group : plan.groups)
        groups.push_back({{"group", group.group}, {"channels", group.channels}});
    nlohmann::json json = {
        {"edit", kEditNames.name(plan.edit)}, {"slices", slices_to_json(plan.slices)}, {"groups", groups}};
    if (!plan.replaced.empty()) json["replaced"] = plan.replaced;
    return json;
}

Plan plan_from_json(const nlohmann::json& json, const std::string& place) {
    Plan plan;
    JsonReader reader(json, place);
    plan.edit = kEditNames.value(reader.require<std::string>("edit"), place + ": edit");
    size_t i = 0;
    for (const auto& item : reader.require<std::vector<nlohmann::json>>("slices")) {
        JsonReader removal(item, fmt::format("{}: slices[{}]", place, i++));
        plan.slices.push_back({removal.require<std::string>("tensor"), removal.require<int64_t>("dim"), {}});
        plan.slices.back().indices = ascending(removal, "indices");
        removal.finish();
    }
    i = 0;
    for (const auto& item : reader.require<std::vector<nlohmann::json>>("groups")) {
        JsonReader group(item, fmt::format("{}: groups[{}]", place, i++));
        plan.groups.push_back({group.require<std::string>("group"), {}});
        plan.groups.back().channels = ascending(group, "channels");
        group.finish();
    }
    plan.replaced = reader.get("replaced", plan.replaced);
    reader.finish();
    return plan;
}

nlohmann::json steps_to_json(const std::vector<Plan>& steps) {
    auto list = nlohmann::json::array();
    for (const auto& step : steps) list.push_back(plan_to_json(step));
    return {{"steps", list}};
}

std::vector<Plan> steps_from_json(const nlohmann::json& json, const std::string& place) {
    std::vector<Plan> steps;
    JsonReader reader(json, place);
    for (const auto& step : reader.require<std::vector<nlohmann::json>>("steps"))
        steps.push_back(plan_from_json(step, fmt::format("{}: steps[{}]", place, steps.size())));
    return steps;
}

}  // namespace mtlprune
