#include "pruning/coupling/label_propagation.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace mtlprune {
namespace {

void freeze_outputs(Labelling& labelling) {
    const auto& outputs = labelling.graph().outputs;
    const auto& shrinkable = labelling.options().shrinkable_outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
        if (std::find(shrinkable.begin(), shrinkable.end(), i) != shrinkable.end()) continue;
        for (const auto& array : labelling.labels(outputs[i]).arrays)
            for (const Label label : *array.labels)
                labelling.sets().freeze(label, fmt::format("network output {}", i));
    }
}

/// Index (p, h, d) of the joint projection's rows goes with the embedding's channels (h', d) of all heads h'.
void join_attention(Labelling& labelling, const AttentionModule& attention) {
    for (const auto& stored : labelling.graph().stored) {
        if (stored.name != attention.prefix + "in_proj_weight") continue;
        auto x = labelling.labels(stored.value);
        const auto embedding = labelling.alone(x, 1);
        if (!embedding) return;
        const auto size = static_cast<int64_t>(embedding->size());
        labelling.join_periodic(embedding, size / attention.heads);
        labelling.join(labelling.alone(x, 0), share(tile(*embedding, 3)),
                       "attention with an embedding that cannot shrink");
    }
}

/// Stored tensors of this shape that a value is computed from; none where anything else takes part in it.
std::vector<size_t> sources_of_weight(Labelling& labelling, size_t value, const std::vector<int64_t>& shape) {
    constexpr size_t kMostValues = 64;  // a weight computed from activations is no weight
    const auto& graph = labelling.graph();
    std::vector<size_t> open = {value}, found;
    for (std::set<size_t> seen; !open.empty();) {
        const size_t next = open.back();
        open.pop_back();
        if (!seen.insert(next).second) continue;
        if (seen.size() > kMostValues) return {};
        const size_t maker = labelling.uses().maker[next];
        if (maker != ValueUses::kNobody) {
            const auto inputs = graph.tensor_inputs(graph.nodes[maker]);
            open.insert(open.end(), inputs.begin(), inputs.end());
        } else if (labelling.is_stored(next)) {
            if (graph.values[next].shape == shape) found.push_back(next);
        } else if (!graph.values[next].constant) {
            return {};
        }
    }
    return found;
}

/// The height and width of a kernel are no channels, whatever is computed from the weight before the
/// convolution.
void fix_computed_kernels(Labelling& labelling) {
    for (const auto& node : labelling.graph().nodes) {
        if (node.op->convolution == nullptr || labelling.is_stored(node.inputs[1])) continue;
        const auto& shape = labelling.shape(node.inputs[1]);
        for (const size_t source : sources_of_weight(labelling, node.inputs[1], shape))
            for (size_t dim = 2; dim < shape.size(); ++dim)
                labelling.fix_stored(source, dim, "size of the kernel");
    }
}

}  // namespace

void freeze_inputs(Labelling& l, const TracedNode& node, const std::string& why) {
    for (const size_t value : l.graph().tensor_inputs(node)) l.freeze_all(value, why);
}

void propagate(Labelling& labelling) {
    const auto& nodes = labelling.graph().nodes;
    fix_computed_kernels(labelling);
    for (size_t i = 0; i < nodes.size(); ++i) {
        labelling.begin(i);
        // Sizes, types and numbers say nothing about single channels.
        if (labelling.graph().tensor_outputs(nodes[i]).empty()) continue;
        const auto& op = *nodes[i].op;
        if (op.labels == nullptr)
            freeze_inputs(labelling, nodes[i], op.freezes);
        else
            op.labels(labelling, nodes[i]);
    }
    for (const auto& attention : labelling.options().attention) join_attention(labelling, attention);
    freeze_outputs(labelling);
    for (size_t i = 0; i < nodes.size(); ++i) {
        labelling.begin(i);
        for (const size_t output : labelling.graph().tensor_outputs(nodes[i]))
            labelling.make_rectangular(output);
    }
}

}  // namespace mtlprune
