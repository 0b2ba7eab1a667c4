#include "pruning/coupling/group_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace mtlprune {
namespace {

bool produces(const LabelBlock& block) {
    return block.role == Role::output && block.node >= 0 && block.labels;
}

/// Per value, which network outputs depend on it.
std::vector<std::vector<bool>> reached_outputs(const TracedGraph& graph) {
    std::vector<std::vector<bool>> reached(graph.values.size(), std::vector<bool>(graph.outputs.size()));
    for (size_t i = 0; i < graph.outputs.size(); ++i) reached[graph.outputs[i]][i] = true;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
        for (const size_t input : graph.tensor_inputs(*node))
            for (const size_t output : graph.tensor_outputs(*node))
                for (size_t i = 0; i < graph.outputs.size(); ++i)
                    if (reached[output][i]) reached[input][i] = true;
    return reached;
}

/// A running hash of what a channel occurs in; two of them make accidental equality practically impossible.
struct Signature {
    uint64_t a = 0x9e3779b97f4a7c15, b = 0xc2b2ae3d27d4eb4f;
    int64_t array = -1, count = 0;  ///< the array that is being counted

    void occur(int64_t in_array) {
        if (array == in_array) {
            ++count;
            return;
        }
        close();
        array = in_array;
        count = 1;
    }
    void close() {
        if (array < 0) return;
        a = mix(a ^ (static_cast<uint64_t>(array) * 0x100000001b3 + static_cast<uint64_t>(count)));
        b = mix(b + (static_cast<uint64_t>(count) * 0xd6e8feb86659fd93 ^ static_cast<uint64_t>(array)));
        array = -1;
    }
    static uint64_t mix(uint64_t x) {  // the finaliser of splitmix64
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    }
};

/// Labels that several axes share, looked at once.
struct Array {
    LabelsPtr labels;
    AxisChannels channels;
    /// Groups that occur in it, ascending: how many indices each of their channels has, and which.
    struct Part {
        size_t group;
        int64_t per_channel;
        std::vector<int64_t> indices;
    };
    std::vector<Part> parts;
    int64_t in_groups = 0;
};

class GroupBuilder {
  public:
    GroupBuilder(Labelling& labelling, Coupling& coupling) : labelling_(labelling), coupling_(coupling) {}

    void build() {
        order_blocks();
        number_channels();
        collect_arrays();
        form_groups();
        for (auto& array : arrays_) fill_parts(array);
        add_members();
        add_outputs();
        name_groups();
        mark_cross_channel();
        describe_values();
        list_frozen();
    }

  private:
    void order_blocks();
    void number_channels();
    void collect_arrays();
    size_t array_of(const LabelsPtr& labels);
    void form_groups();
    void fill_parts(Array& array);
    void add_members();
    void add_outputs();
    void name_groups();
    void mark_cross_channel();
    void describe_values();
    AxisSize axis_size(const Array& array) const;
    void list_frozen();

    Labelling& labelling_;
    Coupling& coupling_;
    std::vector<size_t> order_;             ///< blocks with labels: producers first, then by execution
    std::vector<int64_t> channel_of_root_;  ///< per label; -1 when it belongs to no channel
    std::vector<Label> roots_;              ///< per channel
    std::vector<Array> arrays_;
    std::unordered_map<const Labels*, size_t> number_of_array_;
};

void GroupBuilder::order_blocks() {
    const auto& blocks = labelling_.blocks();
    for (size_t i = 0; i < blocks.size(); ++i)
        if (blocks[i].labels) order_.push_back(i);
    const auto key = [&](size_t i) { return std::tuple(!produces(blocks[i]), blocks[i].node); };
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
}

/// Sets that nothing produces (kernel sizes, the network's inputs) are no channels.
void GroupBuilder::number_channels() {
    channel_of_root_.assign(labelling_.sets().size(), -1);
    for (const size_t number : order_) {
        const auto& block = labelling_.blocks()[number];
        if (!produces(block)) break;
        for (const Label label : *block.labels) {
            const Label root = labelling_.sets().find(label);
            if (root == kFixedLabel || channel_of_root_[root] >= 0) continue;
            channel_of_root_[root] = static_cast<int64_t>(roots_.size());
            roots_.push_back(root);
        }
    }
}

size_t GroupBuilder::array_of(const LabelsPtr& labels) {
    const auto [it, is_new] = number_of_array_.emplace(labels.get(), arrays_.size());
    if (!is_new) return it->second;
    std::vector<int64_t> channels(labels->size());
    for (size_t i = 0; i < channels.size(); ++i)
        channels[i] = channel_of_root_[labelling_.sets().find((*labels)[i])];
    arrays_.push_back({labels, std::make_shared<const std::vector<int64_t>>(std::move(channels)), {}});
    return it->second;
}

/// Of stored tensors first, then of activations: a slice may hold some channels of an axis and not others.
void GroupBuilder::collect_arrays() {
    for (const size_t number : order_) array_of(labelling_.blocks()[number].labels);
    for (const auto& value : labelling_.all())
        for (const auto& array : value.arrays) array_of(array.labels);
}

void GroupBuilder::form_groups() {
    std::vector<Signature> signatures(roots_.size());
    for (size_t a = 0; a < arrays_.size(); ++a)
        for (const int64_t channel : *arrays_[a].channels)
            if (channel >= 0) signatures[channel].occur(static_cast<int64_t>(a));
    std::map<std::tuple<uint64_t, uint64_t, size_t>, size_t> known;
    for (size_t c = 0; c < roots_.size(); ++c) {
        signatures[c].close();
        const size_t reason = labelling_.sets().reason_number(roots_[c]);
        const auto [it, is_new] =
            known.emplace(std::tuple(signatures[c].a, signatures[c].b, reason), coupling_.groups.size());
        if (is_new) {
            auto& group = coupling_.groups.emplace_back();
            group.channels = 0;
            group.frozen = reason != 0;
            group.reason = labelling_.sets().reason(roots_[c]);
        }
        coupling_.channels.emplace_back(it->second, coupling_.groups[it->second].channels++);
    }
}

void GroupBuilder::fill_parts(Array& array) {
    std::map<size_t, int64_t> counts;
    for (const int64_t channel : *array.channels)
        if (channel >= 0) ++counts[coupling_.channels[channel].first];
    std::unordered_map<size_t, size_t> place;
    for (const auto& [group, count] : counts) {
        place[group] = array.parts.size();
        array.parts.push_back({group, count / coupling_.groups[group].channels, std::vector<int64_t>(count)});
        array.in_groups += count;
    }
    std::unordered_map<int64_t, int64_t> filled;
    for (size_t i = 0; i < array.channels->size(); ++i) {
        const int64_t channel = (*array.channels)[i];
        if (channel < 0) continue;
        const auto [group, number] = coupling_.channels[channel];
        auto& part = array.parts[place[group]];
        const int64_t nth = part.per_channel == 1 ? 0 : filled[channel]++;
        part.indices[number * part.per_channel + nth] = static_cast<int64_t>(i);
    }
}

void GroupBuilder::add_members() {
    const auto& graph = labelling_.graph();
    for (const size_t number : order_) {
        const auto& block = labelling_.blocks()[number];
        const auto& stored = graph.stored[block.stored];
        for (const auto& part : arrays_[number_of_array_.at(block.labels.get())].parts)
            coupling_.groups[part.group].members.push_back(
                {stored.name, static_cast<int64_t>(block.dim), block.role, stored.is_buffer, part.per_channel,
                 part.indices, block.node < 0 ? "" : graph.nodes[block.node].kind, block.argument});
    }
}

void GroupBuilder::add_outputs() {
    const auto reached = reached_outputs(labelling_.graph());
    std::vector<std::vector<bool>> outputs(coupling_.groups.size(),
                                           std::vector<bool>(labelling_.graph().outputs.size()));
    for (const size_t number : order_) {
        const auto& block = labelling_.blocks()[number];
        if (!produces(block)) break;
        const auto& from_here = reached[labelling_.graph().stored[block.stored].value];
        for (const auto& part : arrays_[number_of_array_.at(block.labels.get())].parts)
            for (size_t i = 0; i < from_here.size(); ++i)
                if (from_here[i]) outputs[part.group][i] = true;
    }
    for (size_t g = 0; g < outputs.size(); ++g)
        for (size_t i = 0; i < outputs[g].size(); ++i)
            if (outputs[g][i]) coupling_.groups[g].outputs.push_back(i);
}

void GroupBuilder::name_groups() {
    std::unordered_map<std::string, int> uses;
    for (auto& group : coupling_.groups) {
        const auto& tensor = group.members.front().tensor;
        group.name = tensor.substr(0, tensor.rfind('.'));
        if (const int use = ++uses[group.name]; use > 1) group.name += fmt::format("#{}", use);
    }
}

void GroupBuilder::mark_cross_channel() {
    for (const Label label : labelling_.cross_channel()) {
        const int64_t channel = channel_of_root_[labelling_.sets().find(label)];
        if (channel >= 0) coupling_.groups[coupling_.channels[channel].first].cross_channel = true;
    }
}

AxisSize GroupBuilder::axis_size(const Array& array) const {
    AxisSize size{static_cast<int64_t>(array.labels->size()) - array.in_groups, {}};
    for (const auto& part : array.parts)
        size.terms.push_back(
            {part.group, static_cast<int64_t>(part.indices.size()), coupling_.groups[part.group].channels});
    return size;
}

void GroupBuilder::describe_values() {
    std::vector<AxisSize> sizes;
    sizes.reserve(arrays_.size());
    for (const auto& array : arrays_) sizes.push_back(axis_size(array));
    const auto& values = labelling_.all();
    coupling_.sizes.resize(values.size());
    coupling_.axes.resize(values.size());
    const auto describe = [&](size_t value, size_t axis, const LabelsPtr& labels) {
        const size_t array = number_of_array_.at(labels.get());
        coupling_.sizes[value][axis] = sizes[array];
        if (arrays_[array].in_groups > 0) coupling_.axes[value][axis] = arrays_[array].channels;
    };
    for (size_t value = 0; value < values.size(); ++value) {
        for (const int64_t size : labelling_.shape(value)) coupling_.sizes[value].push_back({size, {}});
        coupling_.axes[value].resize(labelling_.shape(value).size());
        for (const auto& array : values[value].arrays)
            if (array.axes.size() == 1) describe(value, array.axes[0], array.labels);
    }
    for (const size_t number : order_) {
        const auto& block = labelling_.blocks()[number];
        describe(labelling_.graph().stored[block.stored].value, block.dim, block.labels);
    }
}

void GroupBuilder::list_frozen() {
    for (const size_t number : order_) {
        const auto& block = labelling_.blocks()[number];
        FrozenDimension frozen{labelling_.graph().stored[block.stored].name, static_cast<int64_t>(block.dim),
                               0, ""};
        if (block.node < 0) continue;
        for (const Label label : *block.labels) {
            if (!labelling_.sets().frozen(label)) continue;
            ++frozen.count;
            if (frozen.reason.empty()) frozen.reason = labelling_.sets().reason(label);
        }
        if (frozen.reason.empty()) frozen.reason = labelling_.explain_fixed(block.node);
        if (frozen.count > 0) coupling_.frozen.push_back(std::move(frozen));
    }
}

}  // namespace

void build_groups(Labelling& labelling, Coupling& coupling) {
    GroupBuilder(labelling, coupling).build();
}

}  // namespace mtlprune
