// Fused attention operators, as LibTorch 1.13 and 2.x have them.
#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

constexpr const char* kScale = "the operator's own scale depends on how many channels a head has";

/// scaled_dot_product_attention(q, k, v, mask, ...): q [..., n, d], k [..., m, d], v [..., m, e] -> [..., n,
/// e]. Without a scale given it divides by sqrt(d): where the code cannot be edited, d must stay. Several
/// heads of queries may share one of keys and values (enable_gqa): then the numbers of heads stay.
void dot_product_attention(Labelling& l, const TracedNode& node) {
    auto q = l.labels(node.inputs[0]), k = l.labels(node.inputs[1]), v = l.labels(node.inputs[2]);
    const size_t rank = q.shape.size(), tokens = rank - 2, depth = rank - 1;
    const bool shares_heads = node.inputs.size() > 7 && l.graph().number(node.inputs[7]).value_or(0) != 0;
    const bool keeps_scale = l.graph().editable || !scales_by_width(l.graph(), node);
    for (auto* x : {&q, &k, &v}) {
        l.separate(*x, {depth});
        if (x != &q) l.fix_axis(*x, tokens, "attention sums over these tokens");
        if (shares_heads) l.fix_axis(*x, tokens - 1, "heads of queries share those of keys and values");
    }
    if (keeps_scale && (q.vanishes || k.vanishes)) {
        l.join(l.alone(q, depth), l.alone(k, depth), "one side of an attention product is fixed");
    } else {
        l.fix_axis(q, depth, kScale);
        l.fix_axis(k, depth, kScale);
    }
    if (l.is_tensor(node, 3)) {
        auto mask = l.labels(node.inputs[3]);
        for (size_t axis = 0; axis < mask.shape.size(); ++axis) l.fix_axis(mask, axis, "attention mask");
    }
    q.drop(depth);
    k.drop(depth);
    auto out_shape = l.shape(node.outputs[0]);
    const auto channels = l.alone(v, depth);
    v.drop(depth);
    // Batch axes and heads follow each other; tokens and channels come from q and v.
    q.shape[depth] = k.shape[depth] = v.shape[depth] = 1;
    k.shape[tokens] = v.shape[tokens] = 1;
    if (shares_heads) k.shape[tokens - 1] = v.shape[tokens - 1] = 1;
    auto shape = q.shape;
    for (size_t axis = 0; axis < tokens; ++axis) shape[axis] = out_shape[axis];
    auto out = l.broadcast({q, k, v}, shape);
    out.shape = out_shape;
    if (channels) out.arrays.push_back({{depth}, channels, {}});
    out.vanishes = v.vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// The embedding's channels seen as [heads, width]: the same channels of every head leave together, from the
/// embedding and from q, k and v alike, because the operator derives the width of a head from that of the
/// embedding.
LabelsPtr join_heads(Labelling& l, const LabelsPtr& embedding, int64_t heads) {
    if (embedding) l.join_periodic(embedding, static_cast<int64_t>(embedding->size()) / heads);
    return embedding;
}

/// qkv weight [3E, E] and bias, projection weight [E, E] and bias from input `first` on.
void join_projections(Labelling& l, const TracedNode& node, size_t first, const LabelsPtr& embedding) {
    const auto rows = embedding ? share(tile(*embedding, 3)) : nullptr;
    l.attach(node.inputs[first], 1, embedding, Role::input);
    l.attach(node.inputs[first], 0, rows, Role::output);
    l.attach(node.inputs[first + 1], 0, rows, Role::output);
    l.attach(node.inputs[first + 2], 1, embedding, Role::input);
    l.attach(node.inputs[first + 2], 0, embedding, Role::output);
    l.attach(node.inputs[first + 3], 0, embedding, Role::output);
}

/// _native_multi_head_attention(q, k, v, embedding, heads, qkv weight, bias, projection weight, bias, mask,
/// ...)
void native_attention(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    if (node.inputs[1] != node.inputs[0] || node.inputs[2] != node.inputs[0] || !l.graph().editable)
        return freeze_inputs(l, node,
                             "attention between different inputs, or in a module that cannot follow");
    const size_t last = x.shape.size() - 1;
    for (size_t axis = 0; axis < last; ++axis) l.fix_axis(x, axis, "attention sums over these tokens");
    const auto embedding = join_heads(l, l.alone(x, last), l.graph().integer(node.inputs[4], 1));
    join_projections(l, node, 5, embedding);
    Labelled out{x.shape, {}, true};
    if (embedding) out.arrays.push_back({{last}, embedding, {}});
    l.set(node.outputs[0], std::move(out));
}

/// _transformer_encoder_layer_fwd(x, embedding, heads, qkv weight, bias, projection weight, bias, gelu, norm
/// first, eps, norm1 weight, bias, norm2 weight, bias, ffn weight1, bias1, weight2, bias2, ...)
void encoder_layer(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    if (!l.graph().editable) return freeze_inputs(l, node, "a module that cannot follow");
    const size_t last = x.shape.size() - 1;
    for (size_t axis = 0; axis < last; ++axis) l.fix_axis(x, axis, "attention sums over these tokens");
    const auto embedding = join_heads(l, l.alone(x, last), l.graph().integer(node.inputs[2], 1));
    l.mark_cross_channel(embedding);
    join_projections(l, node, 3, embedding);
    for (size_t input = 10; input < 14; ++input)
        l.attach(node.inputs[input], 0, embedding, Role::channelwise);
    const auto hidden = l.attach(node.inputs[14], 0, l.fresh_axis(l.shape(node.inputs[14])[0]), Role::output);
    l.attach(node.inputs[14], 1, embedding, Role::input);
    l.attach(node.inputs[15], 0, hidden, Role::output);
    l.attach(node.inputs[16], 1, hidden, Role::input);
    l.attach(node.inputs[16], 0, embedding, Role::output);
    l.attach(node.inputs[17], 0, embedding, Role::output);
    Labelled out{x.shape, {}, true};
    if (embedding) out.arrays.push_back({{last}, embedding, {}});
    l.set(node.outputs[0], std::move(out));
}

}  // namespace

bool scales_by_width(const TracedGraph& graph, const TracedNode& node) {
    const bool has_argument = node.kind == "aten::scaled_dot_product_attention" && node.inputs.size() > 6;
    return !has_argument || !graph.number(node.inputs[6]);
}

void add_attention_rules(RuleTable& rules) {
    add_rules(rules, dot_product_attention,
              {"scaled_dot_product_attention", "_scaled_dot_product_attention"});
    add_rules(rules, native_attention, {"_native_multi_head_attention"});
    add_rules(rules, encoder_layer, {"_transformer_encoder_layer_fwd"});
}

}  // namespace mtlprune
