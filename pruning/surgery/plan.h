// What to change in a network, as data: computed from groups, stored in plan.json, replayed on a fresh
// network.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// What is done to the slices that a plan names.
enum class EditKind {
    remove,  ///< they leave: the only edit that makes a network cheaper
    mask     ///< they are set to zero, in parameters only
};

/// Indices (ascending) of one dimension of one parameter or buffer.
struct Slices {
    std::string tensor;
    int64_t dim;
    std::vector<int64_t> indices;
    bool operator==(const Slices&) const = default;
};

/// Channels (ascending) of one group, numbered as they were before.
struct GroupRemoval {
    std::string group;
    std::vector<int64_t> channels;
    bool operator==(const GroupRemoval&) const = default;
};

/// One edit of a whole network: slices that belong together, changed at once.
struct Plan {
    EditKind edit = EditKind::remove;
    std::vector<Slices> slices;
    std::vector<GroupRemoval> groups;
    /// Parameters whose values were replaced before, to make up for the channels; the values are the
    /// network's.
    std::vector<std::string> replaced = {};
    bool operator==(const Plan&) const = default;
};

/// The plan that removes `removed[g]` (any order) from group g. Throws Error naming the group when the list
/// does not fit the groups, a channel does not exist or is named twice, the group is frozen, or nothing of it
/// would be left.
Plan make_plan(const std::vector<Group>& groups, const std::vector<std::vector<int64_t>>& removed,
               EditKind edit = EditKind::remove);

/// Brings groups up to date after the plan made for them was carried out: the channels are out of the groups,
/// and what stays is renumbered where slices were removed.
void remove_channels(std::vector<Group>& groups, const Plan& plan);

/// All slices that left in these steps, numbered as they were before the first; those of masks likewise.
std::vector<Slices> slices_of_original(const std::vector<Plan>& steps);

/// Leaves only some channels (ascending) of a group in it, whose tensors are as they were.
void keep_channels(Group& group, const std::vector<int64_t>& channels);

/// [{"tensor", "dim", "indices"}, ...]
nlohmann::json slices_to_json(const std::vector<Slices>& slices);
/// {"edit": "remove", "slices": [{"tensor", "dim", "indices"}, ...], "groups": [{"group", "channels"}, ...]},
/// and "replaced": [NAME, ...] where there are such.
nlohmann::json plan_to_json(const Plan& plan);
/// Throws Error naming `place` on anything that plan_to_json would not write.
Plan plan_from_json(const nlohmann::json& json, const std::string& place);

/// The form of every plan.json: {"steps": [plan, ...]}, to be carried out in order; indices refer to the
/// network that the steps before have left. Other keys belong to whoever writes the file.
nlohmann::json steps_to_json(const std::vector<Plan>& steps);
std::vector<Plan> steps_from_json(const nlohmann::json& json, const std::string& place);

}  // namespace mtlprune
