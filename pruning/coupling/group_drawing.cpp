#include "pruning/coupling/group_drawing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace mtlprune {
namespace {

const char* name_of(Role role) {
    return role == Role::output ? "output" : role == Role::input ? "input" : "channelwise";
}

int64_t count(const Group& group, Role role) {
    return std::count_if(group.members.begin(), group.members.end(),
                         [&](const Member& m) { return m.role == role; });
}

std::string quoted(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result;
}

}  // namespace

std::string group_table(const Coupling& coupling, bool with_members) {
    size_t width = 5;
    for (const auto& group : coupling.groups) width = std::max(width, group.name.size());
    auto text = fmt::format("{:{}}  channels  produced by  read by  other  outputs  state\n", "group", width);
    for (const auto& group : coupling.groups) {
        const auto state = group.frozen          ? "frozen: " + group.reason
                           : group.cross_channel ? "free, normalised across"
                                                 : "free";
        text += fmt::format("{:{}}  {:8}  {:11}  {:7}  {:5}  {:7}  {}\n", group.name, width, group.channels,
                            count(group, Role::output), count(group, Role::input),
                            count(group, Role::channelwise), fmt::format("{}", fmt::join(group.outputs, ",")),
                            state);
        if (!with_members) continue;
        for (const auto& member : group.members)
            text += fmt::format("    {} dim {} ({}{}), {} per channel\n", member.tensor, member.dim,
                                name_of(member.role), member.is_buffer ? ", buffer" : "", member.per_channel);
    }
    return text;
}

std::string group_graph(const Coupling& coupling) {
    std::string text =
        "digraph groups {\n  rankdir=LR;\n  node [shape=box, fontname=\"Helvetica\", style=filled, "
        "fillcolor=white];\n";
    std::unordered_map<std::string, std::set<size_t>> producers;  // tensor -> groups of its output side
    for (size_t g = 0; g < coupling.groups.size(); ++g)
        for (const auto& member : coupling.groups[g].members)
            if (member.role == Role::output) producers[member.tensor].insert(g);
    std::set<std::pair<size_t, size_t>> arrows;
    for (size_t g = 0; g < coupling.groups.size(); ++g) {
        const auto& group = coupling.groups[g];
        std::string tensors;
        for (const auto& member : group.members)
            if (!member.is_buffer) tensors += quoted(member.tensor) + fmt::format(" [{}]\\l", member.dim);
        text += fmt::format("  g{} [label=\"{}\\n{} channels\\n{}\"{}];\n", g, quoted(group.name),
                            group.channels, tensors,
                            group.frozen          ? ", fillcolor=lightgrey"
                            : group.cross_channel ? ", fillcolor=lightyellow"
                                                  : "");
        for (const auto& member : group.members)
            if (member.role == Role::input)
                for (const size_t reader : producers[member.tensor]) arrows.emplace(g, reader);
    }
    for (const auto& [from, to] : arrows) text += fmt::format("  g{} -> g{};\n", from, to);
    return text + "}\n";
}

std::string frozen_table(const Coupling& coupling) {
    if (coupling.frozen.empty()) return "Every channel may leave.\n";
    size_t width = 6;
    for (const auto& item : coupling.frozen) width = std::max(width, item.tensor.size());
    auto text = fmt::format("{:{}}  dim  channels  reason\n", "tensor", width);
    for (const auto& item : coupling.frozen)
        text += fmt::format("{:{}}  {:3}  {:8}  {}\n", item.tensor, width, item.dim, item.count, item.reason);
    return text;
}

}  // namespace mtlprune
