// Fused attention operators, as LibTorch 1.13 and 2.x have them.
#include <c10/util/accumulate.h>
#include <torch/nn.h>

#include <algorithm>
#include <cmath>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

constexpr const char* kScale = "the operator's own scale depends on how many channels a head has";

/// The operator divides by the square root of a head's width, since no other scale is given.
bool scales_by_width(const TracedGraph& graph, const TracedNode& node) {
    const bool has_argument = node.kind == "aten::scaled_dot_product_attention" && node.inputs.size() > 6;
    return !has_argument || !graph.number(node.inputs[6]);
}

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
                             "attention between different inputs, or in a module "
                             "that cannot follow");
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

/// q [..., n, d] with k [..., m, d], then the n x m scores with v [..., m, e].
int64_t dot_product_attention_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    const auto &q = shapes[node.inputs[0]], &k = shapes[node.inputs[1]], &v = shapes[node.inputs[2]];
    const int64_t scores = c10::multiply_integers(q) / std::max<int64_t>(1, q.back()) * k[k.size() - 2];
    return scores * (q.back() + v.back());
}

/// Projections to queries, keys and values [3E, E] and from the heads [E, E], scores, weighted values.
int64_t self_attention_macs(const std::vector<int64_t>& x, const std::vector<int64_t>& projection) {
    return c10::multiply_integers(x) * (projection[0] + 2 * x[x.size() - 2] + x.back());
}

int64_t native_attention_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    return self_attention_macs(shapes[node.inputs[0]], shapes[node.inputs[5]]);
}

int64_t encoder_layer_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    const auto& x = shapes[node.inputs[0]];
    return self_attention_macs(x, shapes[node.inputs[3]]) +
           2 * c10::multiply_integers(x) * shapes[node.inputs[14]][0];
}

/// The width that the operator divides by shrinks: the queries make up for it.
void edit_dot_product_attention(EditFinder& finder, const TracedNode& node) {
    const size_t axis = finder.rank(node.inputs[0]) - 1;
    if (scales_by_width(finder.graph(), node) && finder.kept().changes(node.inputs[0], axis))
        finder.scale_queries(finder.width_factor(node.inputs[0], axis));
}

/// The width that the operator divides by shrinks: the rows that make q make up for it.
template <size_t embedding, size_t weight>
void edit_attention(EditFinder& finder, const TracedNode& node) {
    const size_t axis = finder.rank(node.inputs[0]) - 1;
    if (!finder.kept().changes(node.inputs[0], axis)) return;
    const int64_t now = finder.kept().size(node.inputs[0], axis);
    finder.change(embedding, -1, now);
    for (const size_t input : {weight, weight + 1})
        finder.scale_rows(node.inputs[input], now, finder.width_factor(node.inputs[0], axis));
}

/// The same for the C++ module.
bool refresh_attention(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::MultiheadAttentionImpl>(module, [](auto& layer) {
        auto& options = layer.options;
        if (!layer.in_proj_weight.defined() || layer.in_proj_weight.size(1) == options.embed_dim()) return;
        const torch::NoGradGuard no_grad;
        const int64_t embedding = layer.in_proj_weight.size(1);
        const double factor =
            std::sqrt(static_cast<double>(embedding) / static_cast<double>(options.embed_dim()));
        layer.in_proj_weight.slice(0, 0, embedding).mul_(factor);
        if (layer.in_proj_bias.defined()) layer.in_proj_bias.slice(0, 0, embedding).mul_(factor);
        options.embed_dim(embedding).kdim(embedding).vdim(embedding);
        layer.head_dim = embedding / options.num_heads();
    });
}

bool remember_attention(torch::nn::Module& module, std::vector<std::function<void()>>& reset) {
    return refresh_as<torch::nn::MultiheadAttentionImpl>(module, [&](auto& layer) {
        reset.push_back([&layer, options = layer.options, width = layer.head_dim] {
            layer.options = options;
            layer.head_dim = width;
        });
    });
}

}  // namespace

void add_attention(std::vector<Operator>& all) {
    add(all,
        {.labels = dot_product_attention,
         .macs = dot_product_attention_macs,
         .edits = edit_dot_product_attention},
        {"scaled_dot_product_attention", "_scaled_dot_product_attention"});
    add(all,
        {.labels = native_attention,
         .macs = native_attention_macs,
         .edits = edit_attention<3, 5>,
         .modules = {refresh_attention, remember_attention},
         .scored = Scored::not_asked,
         .tracing = Tracing::second_choice},
        {"_native_multi_head_attention"});
    add(all,
        {.labels = encoder_layer,
         .macs = encoder_layer_macs,
         .edits = edit_attention<1, 3>,
         .scored = Scored::not_asked,
         .tracing = Tracing::second_choice},
        {"_transformer_encoder_layer_fwd"});
    add(all, {.freezes = kNoRule, .tracing = Tracing::second_choice}, {"_nested_tensor_from_mask"});
}

}  // namespace mtlprune
