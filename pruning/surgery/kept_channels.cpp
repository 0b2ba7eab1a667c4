#include "pruning/surgery/kept_channels.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "pruning/graph/script_graph.h"

namespace mtlprune {

KeptChannels::KeptChannels(const Coupling& coupling, const Plan& plan)
    : coupling_(coupling), removed_(coupling.channels.size()) {
    std::unordered_map<std::string, size_t> number_of_group;
    for (size_t g = 0; g < coupling.groups.size(); ++g) number_of_group[coupling.groups[g].name] = g;
    std::vector<std::vector<uint8_t>> removed(coupling.groups.size());
    for (const auto& removal : plan.groups) {
        const auto found = number_of_group.find(removal.group);
        if (found == number_of_group.end())
            throw Error("plan", removal.group, "a group of the network", "none of this name");
        auto& flags = removed[found->second];
        flags.resize(coupling.groups[found->second].channels);
        for (const int64_t channel : removal.channels) flags.at(channel) = 1;
    }
    for (size_t c = 0; c < removed_.size(); ++c) {
        const auto [group, number] = coupling.channels[c];
        removed_[c] = removed[group].empty() ? 0 : removed[group][number];
    }
}

int64_t KeptChannels::count(size_t value, size_t axis, int64_t first, int64_t last) const {
    const auto& channels = coupling_.axes[value][axis];
    if (!channels) return last - first;
    return std::count_if(channels->begin() + first, channels->begin() + last,
                         [&](int64_t channel) { return channel < 0 || removed_[channel] == 0; });
}

int64_t KeptChannels::size(size_t value, size_t axis) const {
    return count(value, axis, 0, coupling_.graph.values[value].shape[axis]);
}

bool KeptChannels::changes_number(size_t value) const {
    for (const auto& [tensor, axis] : coupling_.graph.values[value].computed_from)
        if (changes(tensor, axis)) return true;
    return false;
}

std::vector<int64_t> KeptChannels::indices(size_t value, size_t axis) const {
    std::vector<int64_t> kept;
    const auto& channels = coupling_.axes[value][axis];
    if (!channels) return kept;
    for (size_t i = 0; i < channels->size(); ++i)
        if ((*channels)[i] < 0 || removed_[(*channels)[i]] == 0) kept.push_back(static_cast<int64_t>(i));
    if (kept.size() == channels->size()) kept.clear();
    return kept;
}

}  // namespace mtlprune
