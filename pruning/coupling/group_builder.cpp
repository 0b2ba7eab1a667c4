#include "pruning/coupling/group_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace mtlprune {
namespace {

/// Per value, which network outputs depend on it.
std::vector<std::vector<bool>> reached_outputs(const TracedGraph& graph) {
    std::vector<std::vector<bool>> reached(graph.values.size(), std::vector<bool>(graph.outputs.size()));
    for (size_t i = 0; i < graph.outputs.size(); ++i) reached[graph.outputs[i]][i] = true;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
        for (const size_t input : graph.tensor_inputs(*node))
            for (const size_t output : node->outputs)
                for (size_t i = 0; i < graph.outputs.size(); ++i)
                    if (reached[output][i]) reached[input][i] = true;
    return reached;
}

bool produces(const LabelBlock& block) {
    return block.role == Role::output && block.node >= 0;
}

}  // namespace

GroupBuilder::GroupBuilder(Labelling& labelling)
    : labelling_(labelling), channel_of_(labelling.sets().size(), -1) {
    order_blocks();
    find_channels();
    form_groups();
    fill_indices();
    fill_outputs();
    name_groups();
}

std::string GroupBuilder::operator_of(const LabelBlock& block) const {
    return block.node < 0 ? "" : labelling_.graph().nodes[block.node].kind;
}

void GroupBuilder::order_blocks() {
    const auto& blocks = labelling_.blocks();
    for (size_t i = 0; i < blocks.size(); ++i) order_.push_back(i);
    const auto key = [&](size_t i) { return std::tuple(!produces(blocks[i]), blocks[i].node); };
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
}

/// Sets that nothing produces (kernel sizes, the network's inputs) are no channels.
void GroupBuilder::find_channels() {
    std::vector<int64_t> channel_of_root(channel_of_.size(), -1);
    for (const size_t block_number : order_) {
        const auto& block = labelling_.blocks()[block_number];
        for (Label label = block.first; label < block.first + block.size; ++label) {
            const Label root = labelling_.sets().find(label);
            int64_t& channel = channel_of_root[root];
            if (channel < 0 && !produces(block)) continue;
            if (channel < 0) {
                channel = static_cast<int64_t>(channels_.size());
                channels_.emplace_back();
                reasons_.push_back(labelling_.sets().reason(root));
            }
            channel_of_[label] = channel;
            auto& signature = channels_[channel].signature;
            if (signature.empty() || signature.back().first != block_number)
                signature.push_back({block_number, 0});
            ++signature.back().second;
        }
    }
}

void GroupBuilder::form_groups() {
    std::map<std::pair<Signature, std::string>, size_t> known;
    for (size_t i = 0; i < channels_.size(); ++i) {
        auto& channel = channels_[i];
        const auto [it, is_new] = known.emplace(std::pair(channel.signature, reasons_[i]), groups_.size());
        if (is_new) {
            groups_.push_back({"", 0, {}, {}, !reasons_[i].empty(), reasons_[i]});
            signatures_.push_back(channel.signature);
        }
        channel.group = it->second;
        channel.number = groups_[it->second].channels++;
    }
}

void GroupBuilder::fill_indices() {
    const auto& graph = labelling_.graph();
    std::vector<int64_t> filled(channels_.size());
    for (size_t g = 0; g < groups_.size(); ++g) {
        for (const auto& [block_number, count] : signatures_[g]) {
            const auto& block = labelling_.blocks()[block_number];
            const auto& stored = graph.stored[block.stored];
            auto& added = groups_[g].members.emplace_back(Member{stored.name,
                                                                 block.dim,
                                                                 block.role,
                                                                 stored.is_buffer,
                                                                 count,
                                                                 {},
                                                                 operator_of(block),
                                                                 block.argument});
            added.indices.resize(count * groups_[g].channels);
        }
    }
    for (const size_t block_number : order_) {
        const auto& block = labelling_.blocks()[block_number];
        for (int64_t i = 0; i < block.size; ++i)
            if (const int64_t number = channel_of_[block.first + i]; number >= 0) filled[number] = 0;
        for (int64_t i = 0; i < block.size; ++i) {
            const int64_t number = channel_of_[block.first + i];
            if (number < 0) continue;
            const auto& channel = channels_[number];
            auto& group = groups_[channel.group];
            size_t m = 0;
            while (channel.signature[m].first != block_number) ++m;
            group.members[m].indices[channel.number * group.members[m].per_channel + filled[number]++] = i;
        }
    }
}

void GroupBuilder::fill_outputs() {
    const auto reached = reached_outputs(labelling_.graph());
    for (size_t g = 0; g < groups_.size(); ++g) {
        std::vector<bool> outputs(labelling_.graph().outputs.size());
        for (const auto& [block_number, count] : signatures_[g]) {
            const auto& block = labelling_.blocks()[block_number];
            if (!produces(block)) continue;
            const auto& from_here = reached[labelling_.graph().stored[block.stored].value];
            for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = outputs[i] || from_here[i];
        }
        for (size_t i = 0; i < outputs.size(); ++i)
            if (outputs[i]) groups_[g].outputs.push_back(i);
    }
}

void GroupBuilder::name_groups() {
    std::map<std::string, int> uses;
    for (auto& group : groups_) {
        const auto& tensor = group.members.front().tensor;
        group.name = tensor.substr(0, tensor.rfind('.'));
        if (const int use = ++uses[group.name]; use > 1) group.name += fmt::format("#{}", use);
    }
}

AxisSize GroupBuilder::axis_size(const AxisLabels& labels, int64_t size) const {
    std::map<size_t, int64_t> counts;
    for (const Label label : labels)
        if (channel_of_[label] >= 0) ++counts[channels_[channel_of_[label]].group];
    AxisSize result{size, {}};
    for (const auto& [group, count] : counts) {
        result.fixed -= count;
        result.terms.push_back({group, count, groups_[group].channels});
    }
    return result;
}

std::vector<std::vector<AxisSize>> GroupBuilder::sizes() const {
    const auto& values = labelling_.graph().values;
    std::vector<std::vector<AxisSize>> result(values.size());
    for (size_t value = 0; value < values.size(); ++value)
        for (size_t axis = 0; axis < values[value].shape.size(); ++axis)
            result[value].push_back(axis_size(labelling_.labels(value)[axis], values[value].shape[axis]));
    return result;
}

}  // namespace mtlprune
