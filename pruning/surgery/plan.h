// What to remove from a network, as data: computed from groups, stored in plan.json, replayed on a fresh
// network.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// Indices (ascending) that leave one dimension of one parameter or buffer.
struct Removal {
    std::string tensor;
    int64_t dim;
    std::vector<int64_t> indices;
    bool operator==(const Removal&) const = default;
};

/// Channels (ascending) that leave one group, numbered as they were before.
struct GroupRemoval {
    std::string group;
    std::vector<int64_t> channels;
    bool operator==(const GroupRemoval&) const = default;
};

struct Plan {
    std::vector<Removal> removed;
    std::vector<GroupRemoval> groups;
    bool operator==(const Plan&) const = default;
};

/// The plan that removes `removed[g]` (any order) from group g. Throws Error naming the group when the list
/// does not fit the groups, a channel does not exist or is named twice, the group is frozen, or nothing of it
/// would be left.
Plan make_plan(const std::vector<Group>& groups, const std::vector<std::vector<int64_t>>& removed);

/// Brings groups up to date after the plan made for them was carried out.
void remove_channels(std::vector<Group>& groups, const Plan& plan);

/// {"removed": [{"tensor", "dim", "indices"}, ...], "groups": [{"group", "channels"}, ...]}
nlohmann::json plan_to_json(const Plan& plan);
/// Throws Error naming `place` on anything that plan_to_json would not write.
Plan plan_from_json(const nlohmann::json& json, const std::string& place);

}  // namespace mtlprune
