#include "pruning/surgery/code_edits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

/// Collects the edits of one traced node after the other.
class EditFinder {
  public:
    EditFinder(const Coupling& coupling, const Plan& plan)
        : coupling_(coupling), graph_(coupling.graph), kept_(coupling, plan) {}

    CodeEdits find() {
        for (size_t i = 0; i < graph_.nodes.size(); ++i) visit(graph_.nodes[i], coupling_.script->nodes[i]);
        for (size_t i = 0; i < graph_.nodes.size(); ++i)
            keep_numbers(graph_.nodes[i], coupling_.script->nodes[i]);
        for (const auto& [code, argument, value] : coupling_.script->decisions) {
            code_ = code;
            if (kept_.changes_number(value)) change(argument, -1, graph_.values[value].constant.value());
        }
        for (size_t value = 0; value < graph_.values.size(); ++value) slice_constant(value);
        return std::move(edits_);
    }

  private:
    using Edit = void (EditFinder::*)(const TracedNode&);

    void visit(const TracedNode& node, jit::Node* code) {
        static const std::unordered_map<std::string, Edit> table = edit_table();
        const auto found = table.find(node.kind);
        if (found == table.end() || graph_.tensor_outputs(node).empty()) return;
        code_ = code;
        (this->*found->second)(node);
    }

    static std::unordered_map<std::string, Edit> edit_table() {
        std::unordered_map<std::string, Edit> table;
        const auto add = [&](Edit edit, std::initializer_list<const char*> kinds) {
            for (const char* kind : kinds) table[std::string("aten::") + kind] = edit;
        };
        add(&EditFinder::sizes_of_result<1>, {"view", "_unsafe_view", "reshape", "expand", "broadcast_to",
                                              "new_zeros", "new_ones", "new_full", "new_empty"});
        add(&EditFinder::sizes_of_result<0>, {"zeros", "ones", "full", "empty", "rand", "randn"});
        add(&EditFinder::unflatten, {"unflatten"});
        add(&EditFinder::normalised_shape, {"layer_norm", "native_layer_norm", "rms_norm"});
        add(&EditFinder::split, {"split", "split_with_sizes", "unsafe_split"});
        add(&EditFinder::slice, {"slice"});
        add(&EditFinder::narrow, {"narrow"});
        add(&EditFinder::select, {"select"});
        add(&EditFinder::roll, {"roll"});
        add(&EditFinder::pad, {"pad", "constant_pad_nd"});
        add(&EditFinder::groups<8>, {"_convolution", "convolution"});
        add(&EditFinder::groups<6>, {"conv1d", "conv2d", "conv3d", "_convolution_mode", "conv_transpose1d",
                                     "conv_transpose2d", "conv_transpose3d"});
        add(&EditFinder::index_select, {"index_select"});
        add(&EditFinder::index, {"index"});
        add(&EditFinder::dot_product_attention,
            {"scaled_dot_product_attention", "_scaled_dot_product_attention"});
        add(&EditFinder::native_attention, {"_native_multi_head_attention"});
        add(&EditFinder::encoder_layer, {"_transformer_encoder_layer_fwd"});
        return table;
    }

    /// The argument (or an element of it) becomes `number`. An axis that shrinks has a size that the weights
    /// decide, so that numbers which the code computes are replaced too.
    void change(size_t argument, int64_t element, const c10::IValue& number) {
        const auto [it, is_new] = edits_.numbers.emplace(std::tuple(code_, argument, element), number);
        if (!is_new && it->second.isInt() && number.isInt() && it->second.toInt() != number.toInt())
            throw Error("surgery", fmt::format("{} in a loop", code_->kind().toQualString()),
                        fmt::format("one size ({})", it->second.toInt()), std::to_string(number.toInt()));
    }

    /// Element i of a list of sizes is that of axis first_axis + i of `value`.
    void change_sizes(const TracedNode& node, size_t argument, size_t value, size_t first_axis) {
        const auto old = graph_.integers(node.inputs[argument]);
        if (!old) return;
        const auto& elements = graph_.values[node.inputs[argument]].elements;
        for (size_t i = 0; i < old->size() && first_axis + i < graph_.values[value].shape.size(); ++i) {
            const bool computed = i < elements.size() && kept_.changes_number(elements[i]);
            if ((*old)[i] != -1 && (computed || kept_.changes(value, first_axis + i)))
                change(argument, static_cast<int64_t>(i), kept_.size(value, first_axis + i));
        }
    }

    /// A number in an operator on tensors that was computed from a size (a scale, say) stays what it was.
    void keep_numbers(const TracedNode& node, jit::Node* code) {
        code_ = code;
        if (node.outputs.size() == 1 && !coupling_.script->computed_from[node.outputs[0]].empty()) return;
        if (graph_.tensor_outputs(node).empty()) return;
        const auto keep = [&](size_t value, size_t argument, int64_t element) {
            if (!kept_.changes_number(value) || edits_.numbers.count({code_, argument, element}) > 0) return;
            if (const auto& content = graph_.values[value].constant) change(argument, element, *content);
        };
        for (size_t argument = 0; argument < node.inputs.size(); ++argument) {
            const auto& elements = graph_.values[node.inputs[argument]].elements;
            keep(node.inputs[argument], argument, -1);
            for (size_t i = 0; i < elements.size(); ++i) keep(elements[i], argument, static_cast<int64_t>(i));
        }
    }

    template <size_t argument>
    void sizes_of_result(const TracedNode& node) {
        change_sizes(node, argument, node.outputs[0], 0);
    }

    void unflatten(const TracedNode& node) {
        const auto axis = graph_.integers(node.inputs[1]);
        if (axis) change_sizes(node, 2, node.outputs[0], wrap_axis(axis->front(), rank(node.inputs[0])));
    }

    void normalised_shape(const TracedNode& node) {
        const auto sizes = graph_.integers(node.inputs[1]);
        if (sizes) change_sizes(node, 1, node.inputs[0], rank(node.inputs[0]) - sizes->size());
    }

    void split(const TracedNode& node) {
        const auto axis = graph_.integers(node.inputs[2]);
        const auto pieces = graph_.tensor_outputs(node);
        if (!axis || pieces.empty()) return;
        const size_t at = wrap_axis(axis->front(), rank(node.inputs[0]));
        const auto& sizes = graph_.values[node.inputs[1]];
        const bool single = sizes.constant && sizes.constant->isInt();
        for (size_t i = 0; i < (single ? 1 : pieces.size()); ++i)
            if (kept_.changes(pieces[i], at))
                change(1, single ? -1 : static_cast<int64_t>(i), kept_.size(pieces[i], at));
    }

    /// A position counted from the front, or (negative) from the back, after removal of others.
    int64_t moved(size_t value, size_t axis, int64_t position) const {
        const int64_t size = graph_.values[value].shape[axis];
        if (position >= size || position < -size) return position;
        if (position >= 0) return kept_.count(value, axis, 0, position);
        return -kept_.count(value, axis, size + position, size);
    }

    void move_argument(const TracedNode& node, size_t argument, size_t axis) {
        const auto old = graph_.integers(node.inputs[argument]);
        if (!old) return;
        const int64_t now = moved(node.inputs[0], axis, old->front());
        if (now != old->front()) change(argument, -1, now);
    }

    void slice(const TracedNode& node) {
        const auto axis = graph_.integers(node.inputs[1]);
        if (!axis || graph_.integer(node.inputs[4], 1) != 1) return;
        const size_t at = wrap_axis(axis->front(), rank(node.inputs[0]));
        if (!kept_.changes(node.inputs[0], at)) return;
        move_argument(node, 2, at);
        move_argument(node, 3, at);
    }

    void narrow(const TracedNode& node) {
        const auto axis = graph_.integers(node.inputs[1]);
        if (!axis) return;
        const size_t at = wrap_axis(axis->front(), rank(node.inputs[0]));
        if (!kept_.changes(node.inputs[0], at)) return;
        move_argument(node, 2, at);
        change(3, -1, kept_.size(node.outputs[0], at));
    }

    void select(const TracedNode& node) {
        const auto axis = graph_.integers(node.inputs[1]);
        if (!axis) return;
        const size_t at = wrap_axis(axis->front(), rank(node.inputs[0]));
        if (kept_.changes(node.inputs[0], at)) move_argument(node, 2, at);
    }

    void roll(const TracedNode& node) {
        const auto shifts = graph_.integers(node.inputs[1]), axes = graph_.integers(node.inputs[2]);
        if (!shifts || !axes) return;
        for (size_t i = 0; i < shifts->size() && i < axes->size(); ++i) {
            const size_t axis = wrap_axis((*axes)[i], rank(node.inputs[0]));
            const int64_t size = graph_.values[node.inputs[0]].shape[axis], shift = (*shifts)[i] % size;
            if (!kept_.changes(node.inputs[0], axis) || shift == 0) continue;
            const int64_t now = shift > 0 ? kept_.count(node.inputs[0], axis, size - shift, size)
                                          : -kept_.count(node.inputs[0], axis, 0, -shift);
            const bool list = !graph_.values[node.inputs[1]].constant ||
                              graph_.values[node.inputs[1]].constant->isIntList();
            change(1, list ? static_cast<int64_t>(i) : -1, now);
        }
    }

    /// What is added in front of an axis and behind it may shrink like the rest.
    void pad(const TracedNode& node) {
        const auto amounts = graph_.integers(node.inputs[1]);
        if (!amounts) return;
        for (size_t i = 0; i < amounts->size(); ++i) {
            const size_t axis = rank(node.inputs[0]) - 1 - i / 2;
            const int64_t amount = (*amounts)[i], size = graph_.values[node.outputs[0]].shape[axis];
            if (amount <= 0 || !kept_.changes(node.outputs[0], axis)) continue;
            const int64_t now = i % 2 == 0 ? kept_.count(node.outputs[0], axis, 0, amount)
                                           : kept_.count(node.outputs[0], axis, size - amount, size);
            if (now != amount) change(1, static_cast<int64_t>(i), now);
        }
    }

    /// A depthwise convolution has as many groups as channels.
    template <size_t argument>
    void groups(const TracedNode& node) {
        const auto& weight = graph_.values[node.inputs[1]].shape;
        const int64_t old = graph_.integer(node.inputs[argument], 1);
        const size_t axis = rank(node.inputs[0]) - weight.size() + 1;
        const bool transposed = node.kind.rfind("aten::conv_transpose", 0) == 0 ||
                                (argument == 8 && graph_.integer(node.inputs[6], 0) != 0);
        const bool depthwise = transposed ? weight[0] == old : weight[1] == 1;
        if (old == 1 || !depthwise || !kept_.changes(node.inputs[0], axis)) return;
        change(argument, -1, kept_.size(node.inputs[0], axis));
    }

    /// Indices into an axis: those that left are dropped with the axis of the index, the others move.
    void renumber(size_t index, size_t value, size_t axis) {
        const auto content = graph_.tensor_content(index);
        if (!content || !kept_.changes(value, axis)) return;
        const auto stays = kept_.indices(index, 0);
        std::vector<int64_t> entries;
        const auto add = [&](int64_t i) {
            const int64_t entry = (*content)[i];
            entries.push_back(
                moved(value, axis, entry < 0 ? entry + graph_.values[value].shape[axis] : entry));
        };
        if (stays.empty())
            for (size_t i = 0; i < content->size(); ++i) add(static_cast<int64_t>(i));
        else
            for (const int64_t i : stays) add(i);
        const auto tensor = torch::tensor(entries, torch::kInt64).to(graph_.values[index].type);
        set_index(index, tensor);
    }

    void set_index(size_t index, const torch::Tensor& tensor) {
        auto* constant = coupling_.script->constants[index];
        auto& place = constant != nullptr ? edits_.tensors[constant] : edits_.buffers[index];
        if (place.defined() && !torch::equal(place, tensor))
            throw Error("surgery", "indices", "one set of channels behind them", "two");
        place = tensor;
    }

    void index_select(const TracedNode& node) {
        const auto axis = graph_.integers(node.inputs[1]);
        if (axis) renumber(node.inputs[2], node.inputs[0], wrap_axis(axis->front(), rank(node.inputs[0])));
    }

    void index(const TracedNode& node) {
        const auto& indices = graph_.values[node.inputs[1]].elements;
        for (size_t i = 0; i < indices.size(); ++i)
            if (graph_.values[indices[i]].is_tensor) renumber(indices[i], node.inputs[0], i);
    }

    /// The operator divides by the square root of a head's width, which shrinks: the queries make up for it.
    void dot_product_attention(const TracedNode& node) {
        const size_t axis = rank(node.inputs[0]) - 1;
        if (!scales_by_width(graph_, node) || !kept_.changes(node.inputs[0], axis)) return;
        const double factor = width_factor(node.inputs[0], axis);
        if (!edits_.query_factors.emplace(code_, factor).second && edits_.query_factors[code_] != factor)
            throw Error("surgery", "attention in a loop", "heads of one width", "two widths");
    }

    double width_factor(size_t value, size_t axis) const {
        return std::sqrt(static_cast<double>(kept_.size(value, axis)) /
                         static_cast<double>(graph_.values[value].shape[axis]));
    }

    /// The operator divides by the square root of a head's width, which shrinks: the rows that make q make up
    /// for it.
    void attention(const TracedNode& node, size_t embedding, size_t weight) {
        const size_t axis = rank(node.inputs[0]) - 1;
        if (!kept_.changes(node.inputs[0], axis)) return;
        const int64_t now = kept_.size(node.inputs[0], axis);
        change(embedding, -1, now);
        const double factor = width_factor(node.inputs[0], axis);
        for (const size_t input : {weight, weight + 1})
            edits_.rescalings.push_back({node.inputs[input], 0, now, factor});
    }

    void native_attention(const TracedNode& node) { attention(node, 3, 5); }
    void encoder_layer(const TracedNode& node) { attention(node, 1, 3); }

    void slice_constant(size_t value) {
        auto* constant = coupling_.script->constants[value];
        if (constant == nullptr || edits_.tensors.count(constant) > 0) return;
        auto tensor = graph_.values[value].constant->toTensor();
        bool changed = false;
        for (size_t axis = 0; axis < graph_.values[value].shape.size(); ++axis) {
            const auto stays = kept_.indices(value, axis);
            if (stays.empty()) continue;
            tensor = tensor.index_select(static_cast<int64_t>(axis),
                                         torch::tensor(stays, torch::kInt64).to(tensor.device()));
            changed = true;
        }
        if (changed) edits_.tensors[constant] = tensor;
    }

    size_t rank(size_t value) const { return graph_.values[value].shape.size(); }

    const Coupling& coupling_;
    const TracedGraph& graph_;
    KeptChannels kept_;
    CodeEdits edits_;
    jit::Node* code_ = nullptr;
};

}  // namespace

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
    for (const auto& [tensor, axis] : coupling_.script->computed_from[value])
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

CodeEdits find_edits(const Coupling& coupling, const Plan& plan) {
    return EditFinder(coupling, plan).find();
}

}  // namespace mtlprune
