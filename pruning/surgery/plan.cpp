#include "pruning/surgery/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

using Place = std::pair<std::string, int64_t>;  ///< tensor and dimension

std::vector<int64_t> checked_channels(const Group& group, std::vector<int64_t> channels) {
    std::sort(channels.begin(), channels.end());
    if (channels.empty()) return channels;
    if (group.frozen)
        throw Error("plan", group.name, "a group that may shrink", "a frozen one (" + group.reason + ")");
    if (channels.front() < 0 || channels.back() >= group.channels)
        throw Error("plan", group.name, fmt::format("channels in 0..{}", group.channels - 1),
                    std::to_string(channels.front() < 0 ? channels.front() : channels.back()));
    if (const auto twice = std::adjacent_find(channels.begin(), channels.end()); twice != channels.end())
        throw Error("plan", group.name, "every channel once", fmt::format("channel {} twice", *twice));
    if (static_cast<int64_t>(channels.size()) == group.channels)
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

Plan make_plan(const std::vector<Group>& groups, const std::vector<std::vector<int64_t>>& removed) {
    if (removed.size() != groups.size())
        throw Error("plan", "removed channels", fmt::format("{} lists, one per group", groups.size()),
                    std::to_string(removed.size()));
    Plan plan;
    std::map<Place, size_t> position;
    for (size_t g = 0; g < groups.size(); ++g) {
        auto channels = checked_channels(groups[g], removed[g]);
        if (channels.empty()) continue;
        for (const auto& member : groups[g].members) {
            const auto [it, is_new] = position.emplace(Place(member.tensor, member.dim), plan.removed.size());
            if (is_new) plan.removed.push_back({member.tensor, member.dim, {}});
            auto& indices = plan.removed[it->second].indices;
            for (const int64_t channel : channels) {
                const auto slices = member.channel(channel);
                indices.insert(indices.end(), slices.begin(), slices.end());
            }
        }
        plan.groups.push_back({groups[g].name, std::move(channels)});
    }
    for (auto& removal : plan.removed) std::sort(removal.indices.begin(), removal.indices.end());
    return plan;
}

void remove_channels(std::vector<Group>& groups, const Plan& plan) {
    std::map<Place, const Removal*> removals;
    for (const auto& removal : plan.removed) removals[{removal.tensor, removal.dim}] = &removal;
    for (auto& group : groups) {
        for (auto& member : group.members) {
            const auto found = removals.find({member.tensor, member.dim});
            if (found == removals.end()) continue;
            std::vector<int64_t> kept;
            for (const int64_t index : member.indices)
                if (const int64_t below = shift(found->second->indices, index); below >= 0)
                    kept.push_back(index - below);
            member.indices = std::move(kept);
        }
        group.channels =
            static_cast<int64_t>(group.members.front().indices.size()) / group.members.front().per_channel;
    }
}

nlohmann::json plan_to_json(const Plan& plan) {
    auto removed = nlohmann::json::array();
    for (const auto& removal : plan.removed)
        removed.push_back({{"tensor", removal.tensor}, {"dim", removal.dim}, {"indices", removal.indices}});
    auto groups = nlohmann::json::array();
    for (const auto& group : plan.groups)
        groups.push_back({{"group", group.group}, {"channels", group.channels}});
    return {{"removed", removed}, {"groups", groups}};
}

Plan plan_from_json(const nlohmann::json& json, const std::string& place) {
    Plan plan;
    JsonReader reader(json, place);
    size_t i = 0;
    for (const auto& item : reader.require<std::vector<nlohmann::json>>("removed")) {
        JsonReader removal(item, fmt::format("{}: removed[{}]", place, i++));
        plan.removed.push_back({removal.require<std::string>("tensor"), removal.require<int64_t>("dim"), {}});
        plan.removed.back().indices = ascending(removal, "indices");
        removal.finish();
    }
    i = 0;
    for (const auto& item : reader.require<std::vector<nlohmann::json>>("groups")) {
        JsonReader group(item, fmt::format("{}: groups[{}]", place, i++));
        plan.groups.push_back({group.require<std::string>("group"), {}});
        plan.groups.back().channels = ascending(group, "channels");
        group.finish();
    }
    reader.finish();
    return plan;
}

}  // namespace mtlprune
