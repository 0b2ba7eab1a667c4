// Rounding to a grid as quantised networks do it, in real numbers.
#include <algorithm>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// (x, scale, zero point, ...) with the grid's bounds from argument `bounds` on.
struct Grid {
    size_t bounds;
    bool clamps_zero_point = false;  ///< to the bounds, in the operator itself
};

/// Zero stays zero where the zero point lies within the bounds; a zero point that is not known may not.
bool keeps_zero(const TracedGraph& graph, const TracedNode& node, const Grid& grid) {
    if (grid.clamps_zero_point) return true;
    const auto low = graph.number(node.inputs[grid.bounds]),
               high = graph.number(node.inputs[grid.bounds + 1]);
    if (!low || !high) return false;
    const auto inside = [&](double point) { return point >= *low && point <= *high; };
    if (const auto number = graph.number(node.inputs[2])) return inside(*number);
    const auto points = graph.tensor_content(node.inputs[2]);
    return points && std::all_of(points->begin(), points->end(),
                                 [&](int64_t point) { return inside(static_cast<double>(point)); });
}

/// A second result says which entries were within the bounds.
void set_rounded(Labelling& l, const TracedNode& node, Labelled x, bool zero_stays) {
    x.vanishes = x.vanishes && zero_stays;
    for (const size_t output : l.graph().tensor_outputs(node)) {
        l.set(output, x);
        x.vanishes = false;
    }
}

/// One scale for all entries.
template <size_t bounds, bool clamps>
void round_tensor(Labelling& l, const TracedNode& node) {
    set_rounded(l, node, l.labels(node.inputs[0]), keeps_zero(l.graph(), node, {bounds, clamps}));
}

/// (x, scale [C], zero point [C], axis, ...)
template <bool clamps>
void round_channels(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto axis = axis_argument(l.graph(), node, 3, x.shape.size());
    if (!axis) return freeze_inputs(l, node, kNotConstant);
    const bool zero_stays = keeps_zero(l.graph(), node, {4, clamps});
    const auto channels = l.alone(x, *axis);
    for (const size_t input : {1, 2}) l.attach(node.inputs[input], 0, channels, Role::channelwise);
    set_rounded(l, node, std::move(x), zero_stays);
}

/// fused_moving_avg_obs_fake_quant(x, observes, rounds, minimum, maximum, scale, zero point, ..., axis, per
/// channel, ...): while it observes, all entries decide the scale.
void observe_and_round(Labelling& l, const TracedNode& node) {
    const auto observes = l.graph().tensor_content(node.inputs[1]);
    if (!observes || observes->size() != 1 || observes->front() != 0)
        return freeze_inputs(l, node, "every channel decides the scale");
    auto x = l.labels(node.inputs[0]);
    if (l.graph().integer(node.inputs[11], 1) != 0) {
        const auto axis = axis_argument(l.graph(), node, 10, x.shape.size());
        if (!axis) return freeze_inputs(l, node, kNotConstant);
        const auto channels = l.alone(x, *axis);
        for (const size_t input : {3, 4, 5, 6})
            if (l.is_tensor(node, input)) l.attach(node.inputs[input], 0, channels, Role::channelwise);
    }
    set_rounded(l, node, std::move(x), false);
}

}  // namespace

void add_quantisation(std::vector<Operator>& all) {
    add(all, {.labels = round_tensor<3, false>, .shape = shape_of_first},
        {"fake_quantize_per_tensor_affine"});
    add(all, {.labels = round_tensor<3, false>}, {"fake_quantize_per_tensor_affine_cachemask"});
    add(all, {.labels = round_tensor<4, false>},
        {"_fake_quantize_per_tensor_affine_cachemask_tensor_qparams"});
    add(all, {.labels = round_tensor<3, true>, .shape = shape_of_first},
        {"_fake_quantize_learnable_per_tensor_affine"});
    add(all, {.labels = round_channels<false>, .shape = shape_of_first},
        {"fake_quantize_per_channel_affine"});
    add(all, {.labels = round_channels<false>}, {"fake_quantize_per_channel_affine_cachemask"});
    add(all, {.labels = round_channels<true>, .shape = shape_of_first},
        {"_fake_quantize_learnable_per_channel_affine"});
    add(all, {.labels = observe_and_round},
        {"fused_moving_avg_obs_fake_quant", "_fused_moving_avg_obs_fq_helper"});
}

}  // namespace mtlprune
