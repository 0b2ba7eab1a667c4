#include "pruning/coupling/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "pruning/coupling/group_builder.h"
#include "pruning/coupling/label_propagation.h"
#include "pruning/graph/module_options.h"

namespace mtlprune {

int64_t AxisSize::at(const std::vector<int64_t>& kept) const {
    int64_t size = fixed;
    for (const auto& term : terms) size += kept[term.group] * term.count / term.channels;
    return size;
}

namespace {

bool loses_channels(const Coupling& coupling, size_t value) {
    const auto& axes = coupling.axes[value];
    return std::any_of(axes.begin(), axes.end(), [&](const AxisChannels& channels) {
        return channels && std::any_of(channels->begin(), channels->end(), [&](int64_t channel) {
                   return channel >= 0 && !coupling.groups[coupling.channels[channel].first].frozen;
               });
    });
}

}  // namespace

Coupling couple(TracedGraph graph, const CouplingOptions& options) {
    for (const size_t output : options.shrinkable_outputs)
        if (output >= graph.outputs.size())
            throw Error("coupling", "shrinkable outputs",
                        fmt::format("numbers below {}", graph.outputs.size()), std::to_string(output));
    Coupling coupling;
    {
        Labelling labelling(graph, options);
        propagate(labelling);
        build_groups(labelling, coupling);
        if (options.whole_heads && !labelling.found_heads() && options.attention.empty())
            coupling.notes.push_back("whole heads had no effect: no attention with several heads was found");
        for (const size_t output : options.shrinkable_outputs)
            if (!loses_channels(coupling, graph.outputs[output]))
                coupling.notes.push_back(fmt::format(
                    "output {} was allowed to shrink, but none of its channels can leave", output));
    }
    coupling.graph = std::move(graph);
    return coupling;
}

Coupling couple(torch::nn::Module& module, const TracedFunction& forward, std::vector<torch::Tensor> inputs,
                const CouplingOptions& options) {
    auto with_attention = options;
    const auto found = attention_modules(module);
    with_attention.attention.insert(with_attention.attention.end(), found.begin(), found.end());
    return couple(trace(module, forward, std::move(inputs)), with_attention);
}

std::vector<int64_t> channel_counts(const std::vector<Group>& groups) {
    std::vector<int64_t> counts;
    counts.reserve(groups.size());
    for (const auto& group : groups) counts.push_back(group.channels);
    return counts;
}

std::vector<size_t> select_groups(const std::vector<Group>& groups, const std::string& pattern) {
    std::vector<size_t> selected;
    try {
        const std::regex expression(pattern);
        for (size_t g = 0; g < groups.size(); ++g)
            if (!groups[g].frozen && std::regex_match(groups[g].name, expression)) selected.push_back(g);
    } catch (const std::regex_error& error) {
        throw Error("groups", "pattern '" + pattern + "'", "a regular expression", error.what());
    }
    if (!selected.empty()) return selected;
    std::string names;
    for (const auto& group : groups)
        names +=
            fmt::format("{}{}{}", names.empty() ? "" : ", ", group.name, group.frozen ? " (frozen)" : "");
    throw Error("groups", "pattern '" + pattern + "'", "a match among the groups that may shrink",
                "only " + names);
}

}  // namespace mtlprune
