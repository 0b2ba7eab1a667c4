// Normalisations, and other operators with one parameter per channel.
#include <torch/nn.h>

#include <algorithm>
#include <numeric>

#include "pruning/ops/families.h"
#include "pruning/ops/masked_norms.h"

namespace mtlprune {
namespace {

/// Whether a batch or instance norm normalises by the statistics of its input instead of stored ones: (x,
/// weight, bias, running mean, running variance, whether to use the input's, ...) in all their forms.
bool computes_statistics(const TracedGraph& graph, const TracedNode& norm) {
    return !graph.values[norm.inputs[3]].is_tensor || graph.integer(norm.inputs[5], 1) != 0;
}

/// Zeros become the norm's bias, which leaves with entries of the axes from `first` to `last` alone. Weights
/// that are standardised are taken without what leaves.
bool norm_vanishes(const Labelling& l, const TracedNode& node, const Labelled& x, size_t weight, size_t first,
                   size_t last) {
    const bool own = std::all_of(x.arrays.begin(), x.arrays.end(), [&](const LabelArray& array) {
        return std::all_of(array.axes.begin(), array.axes.end(),
                           [&](size_t axis) { return axis >= first && axis <= last; });
    });
    return (own || l.is_weight(node.inputs[0])) && l.is_tensor(node, weight) &&
           l.vanishes(node.inputs[weight]) &&
           (!l.is_tensor(node, weight + 1) || l.vanishes(node.inputs[weight + 1]));
}

/// Statistics over axes other than 1, whose entries can leave only where that is what fewer of them mean: in
/// a weight that is standardised (as layer norms, see there).
void norm_over_axes(Labelling& l, const TracedNode& node, Labelled& x) {
    const bool is_standardised_weight = node.kind == "aten::batch_norm" && l.is_weight(node.inputs[0]);
    for (size_t axis = 0; axis < x.shape.size(); ++axis) {
        const bool is_own = axis == 1 || (axis == 0 && node.kind == "aten::instance_norm");
        if (is_own || x.is_fixed(axis)) continue;
        if (is_standardised_weight)
            l.mark_cross_channel(l.alone(x, axis));
        else
            l.fix_axis(x, axis, "statistics run over this axis");
    }
}

/// Batch and instance norm: weight, bias and running statistics [C] belong to axis 1.
void channel_norm(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto labels = l.alone(x, 1);
    if (computes_statistics(l.graph(), node)) norm_over_axes(l, node, x);
    for (size_t input = 1; input <= 4; ++input)
        if (l.is_tensor(node, input)) l.attach(node.inputs[input], 0, labels, Role::channelwise);
    x.vanishes = norm_vanishes(l, node, x, 1, 1, 1);
    for (const size_t output : l.graph().tensor_outputs(node))
        if (l.shape(output) == x.shape) l.set(output, x);
}

/// layer_norm(x, normalized_shape, weight, bias) and rms_norm(x, normalized_shape, weight): statistics over
/// the last axes. The value of every channel depends on the others, so removal differs from zeroing; it is
/// what such a network means by having fewer channels.
void layer_norm(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto normalised = l.graph().integers(node.inputs[1]);
    if (!normalised) return freeze_inputs(l, node, kNotConstant);
    const size_t first = x.shape.size() - normalised->size();
    for (size_t axis = first; axis < x.shape.size(); ++axis) l.mark_cross_channel(l.alone(x, axis));
    x.vanishes = norm_vanishes(l, node, x, 2, first, x.shape.size() - 1);
    for (size_t input = 2; input <= 3; ++input) {
        if (!l.is_tensor(node, input)) continue;
        for (size_t axis = first; axis < x.shape.size(); ++axis)
            l.attach(node.inputs[input], axis - first, l.alone(x, axis), Role::channelwise);
    }
    for (const size_t output : l.graph().tensor_outputs(node))
        if (l.shape(output) == x.shape) l.set(output, x);
}

/// group_norm(x, groups, weight, bias): the number of groups stays, equal positions of all groups leave.
void group_norm(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const int64_t groups = l.graph().integer(node.inputs[1], 1);
    const auto labels = l.alone(x, 1);
    for (size_t axis = 2; axis < x.shape.size(); ++axis) l.fix_axis(x, axis, "statistics run over this axis");
    if (labels && x.shape[1] == groups)
        l.freeze(labels, "the only channel of its group");
    else
        l.join_periodic(labels, x.shape[1] / groups);
    l.mark_cross_channel(labels);
    for (size_t input = 2; input <= 3; ++input)
        if (l.is_tensor(node, input)) l.attach(node.inputs[input], 0, labels, Role::channelwise);
    x.vanishes = norm_vanishes(l, node, x, 2, 1, 1);
    l.set(node.outputs[0], std::move(x));
}

/// weight [C] (or [1]) belongs to axis 1.
void prelu(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const bool per_channel =
        x.shape.size() > 1 && l.shape(node.inputs[1]).size() == 1 && l.shape(node.inputs[1])[0] > 1;
    if (per_channel) {
        l.attach(node.inputs[1], 0, l.alone(x, 1), Role::channelwise);
        return l.set(node.outputs[0], std::move(x));
    }
    if (l.shape(node.inputs[1]).size() > 1) {  // newer versions broadcast the weight first
        const bool vanishes = x.vanishes;
        for (size_t dim = 0; dim < l.shape(node.inputs[1]).size(); ++dim)
            l.mark(node.inputs[1], dim, Role::channelwise);
        x = l.broadcast({x, l.labels(node.inputs[1])}, x.shape);
        x.vanishes = vanishes;
    }
    l.set(node.outputs[0], std::move(x));
}

/// _weight_norm(v, g, dim): g v / |v| with one norm per index of `dim`, or one of all of v where it is -1.
/// Removing entries of v along its other axes would change the norms of those that stay.
void weight_norm(Labelling& l, const TracedNode& node) {
    auto v = l.labels(node.inputs[0]);
    const auto dim = l.graph().integers(node.inputs[2]);
    if (!dim) return freeze_inputs(l, node, kNotConstant);
    for (size_t axis = 0; axis < v.shape.size(); ++axis)
        if (static_cast<int64_t>(axis) != dim->front())
            l.fix_axis(v, axis, "the norm of the weight runs over this axis");
    auto out = l.broadcast({v, l.labels(node.inputs[1])}, v.shape);
    out.vanishes = true;
    l.set(node.outputs[0], std::move(out));
}

/// embedding(weight, indices): rows are the vocabulary, columns the channels. embedding_bag sums, averages or
/// takes the largest of several rows, every column alone.
void embedding(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    Labelled out{shape, {}, l.vanishes(node.inputs[0])};
    l.attach(node.inputs[0], 0, nullptr, Role::input);
    const auto labels = l.attach(node.inputs[0], 1, l.fresh_axis(shape.back()), Role::output);
    if (labels) out.arrays.push_back({{shape.size() - 1}, labels, {}});
    l.set(node.outputs[0], std::move(out));
}

torch::Tensor embedding_shape(const std::vector<c10::IValue>& arguments) {
    auto shape = arguments[1].toTensor().sizes().vec();
    shape.push_back(arguments[0].toTensor().size(1));
    return on_meta(shape, arguments[0].toTensor().scalar_type());
}

/// norm(x, normalised shape, ...)
void edit_normalised_shape(EditFinder& finder, const TracedNode& node) {
    if (const auto shape = finder.graph().integers(node.inputs[1]))
        finder.change_sizes(node, 1, node.inputs[0], finder.rank(node.inputs[0]) - shape->size());
}

/// The last axes, which the second argument lists the sizes of.
std::vector<int64_t> normalised_axes(const TracedGraph& graph, const TracedNode& node) {
    const auto listed = graph.integers(node.inputs[1]).value_or(std::vector<int64_t>());
    std::vector<int64_t> axes(listed.size());
    std::iota(axes.begin(), axes.end(),
              static_cast<int64_t>(graph.values[node.inputs[0]].shape.size() - listed.size()));
    return axes;
}

std::optional<MaskedForm> masked_layer_norm(const TracedGraph& graph, const TracedNode& node) {
    return MaskedForm{kMaskedLayerNorm, normalised_axes(graph, node), {2, 3, 4}};
}

std::optional<MaskedForm> masked_rms_norm(const TracedGraph& graph, const TracedNode& node) {
    return MaskedForm{kMaskedRmsNorm, normalised_axes(graph, node), {2, 3}};
}

std::optional<MaskedForm> masked_group_norm(const TracedGraph&, const TracedNode&) {
    return MaskedForm{kMaskedGroupNorm, {1}, {1, 2, 3, 4}};
}

std::optional<MaskedForm> masked_batch_norm(const TracedGraph& graph, const TracedNode& node) {
    if (!computes_statistics(graph, node)) return std::nullopt;
    std::vector<int64_t> axes(graph.values[node.inputs[0]].shape.size());
    std::iota(axes.begin(), axes.end(), int64_t{0});
    axes.erase(axes.begin() + 1);
    return MaskedForm{kMaskedBatchNorm, std::move(axes), {1, 2, 7}};
}

template <typename Layer, typename... Others>
bool refresh_norm(torch::nn::Module& module, const std::vector<int64_t>* removed_rows) {
    const bool is_one = refresh_as<Layer>(module, [](Layer& layer) {
        for (const auto& tensor : {layer.weight, layer.running_mean})
            if (tensor.defined()) layer.options.num_features(tensor.size(0));
    });
    if constexpr (sizeof...(Others) > 0) return is_one || refresh_norm<Others...>(module, removed_rows);
    return is_one;
}

/// Statistics run over the last axes, which the weight has; without a weight nothing tells.
bool refresh_layer_norm(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::LayerNormImpl>(module, [](auto& layer) {
        if (layer.weight.defined()) layer.options.normalized_shape(layer.weight.sizes().vec());
    });
}

bool refresh_group_norm(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::GroupNormImpl>(module, [](auto& layer) {
        if (layer.weight.defined()) layer.options.num_channels(layer.weight.size(0));
    });
}

bool refresh_embedding(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::EmbeddingImpl>(
        module, [](auto& layer) { layer.options.embedding_dim(layer.weight.size(1)); });
}

bool refresh_prelu(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::PReLUImpl>(
        module, [](auto& layer) { layer.options.num_parameters(layer.weight.size(0)); });
}

void add_channel_norms(std::vector<Operator>& all) {
    using namespace torch::nn;
    Operator batch_norm{.labels = channel_norm, .scored = Scored::batch_norm_scale, .scale = 1};
    add(all, batch_norm, {"native_batch_norm", "cudnn_batch_norm"});
    batch_norm.shape = shape_of_first;
    batch_norm.masked = masked_batch_norm;
    batch_norm.modules = {refresh_norm<BatchNorm2dImpl, BatchNorm1dImpl, BatchNorm3dImpl>};
    add(all, batch_norm, {"batch_norm"});
    add(all,
        {.labels = channel_norm,
         .shape = shape_of_first,
         .modules = {refresh_norm<InstanceNorm1dImpl, InstanceNorm2dImpl, InstanceNorm3dImpl>},
         .scored = Scored::not_asked},
        {"instance_norm"});
}

void add_norms_across(std::vector<Operator>& all) {
    Operator norm{
        .labels = layer_norm, .edits = edit_normalised_shape, .scored = Scored::layer_norm_scale, .scale = 2};
    add(all, norm, {"native_layer_norm"});
    norm.shape = shape_of_first;
    norm.masked = masked_layer_norm;
    norm.modules = {refresh_layer_norm};
    add(all, norm, {"layer_norm"});
    add(all,
        {.labels = layer_norm,
         .edits = edit_normalised_shape,
         .masked = masked_rms_norm,
         .scored = Scored::not_asked},
        {"rms_norm"});
    add(all,
        {.labels = group_norm,
         .shape = shape_of_first,
         .masked = masked_group_norm,
         .modules = {refresh_group_norm},
         .scored = Scored::not_asked},
        {"group_norm"});
}

}  // namespace

void add_normalisations(std::vector<Operator>& all) {
    add_channel_norms(all);
    add_norms_across(all);
    add(all,
        {.labels = prelu, .shape = shape_of_first, .modules = {refresh_prelu}, .scored = Scored::not_asked},
        {"prelu"});
    add(all, {.labels = prelu, .scored = Scored::not_asked}, {"_prelu_kernel"});
    add(all, {.labels = weight_norm, .shape = shape_of_first, .scored = Scored::not_asked}, {"_weight_norm"});
    add(all, {.labels = weight_norm, .scored = Scored::not_asked}, {"_weight_norm_interface"});
    add(all,
        {.labels = embedding,
         .shape = embedding_shape,
         .modules = {refresh_embedding},
         .scored = Scored::not_asked},
        {"embedding"});
    // Sums or means of the entries of each bag.
    add(all, {.labels = embedding, .scored = Scored::not_asked}, {"embedding_bag"});
}

}  // namespace mtlprune
