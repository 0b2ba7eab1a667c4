// Operators that resample the last axes and pass all others: pooling, interpolation, padding of images.
#include <algorithm>
#include <vector>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// The last `spatial` axes are resampled, all others pass.
template <size_t spatial>
void resample(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    for (size_t input = 1; input < node.inputs.size(); ++input)
        if (l.is_tensor(node, input)) l.freeze_all(node.inputs[input], "says where to sample");
    for (size_t axis = x.shape.size() - spatial; axis < x.shape.size(); ++axis)
        l.fix_axis(x, axis, "resamples this axis");
    for (const size_t output : l.graph().tensor_outputs(node)) {
        x.shape = l.shape(output);
        l.set(output, x);
        x.vanishes = false;  // a second result is positions
    }
}

/// max_unpool(x, positions, sizes): the positions of every channel are its own.
template <size_t spatial>
void unpool(Labelling& l, const TracedNode& node) {
    std::vector<Labelled> operands = {l.labels(node.inputs[0]), l.labels(node.inputs[1])};
    const auto& shape = l.shape(node.outputs[0]);
    auto passed = shape;
    for (size_t axis = shape.size() - spatial; axis < shape.size(); ++axis) {
        passed[axis] = 1;
        for (auto& x : operands) {
            l.fix_axis(x, axis, "resamples this axis");
            x.shape[axis] = 1;
        }
    }
    const bool vanishes = operands[0].vanishes;
    auto out = l.broadcast(std::move(operands), passed);
    out.shape = shape;
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// max_unpool(x, positions, sizes) has those sizes.
torch::Tensor unpool_shape(const std::vector<c10::IValue>& arguments) {
    const auto sizes = arguments[2].toIntVector();
    auto shape = arguments[0].toTensor().sizes().vec();
    std::copy(sizes.begin(), sizes.end(), shape.end() - static_cast<int64_t>(sizes.size()));
    return on_meta(shape, arguments[0].toTensor().scalar_type());
}

/// x [B, C, places...] at grid [B, points..., coordinates] -> [B, C, points...]. The batch may hold heads.
void sample_grid(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]), grid = l.labels(node.inputs[1]);
    const auto& shape = l.shape(node.outputs[0]);
    l.separate(x, {1});
    auto passed = shape;
    for (size_t axis = 1; axis < shape.size(); ++axis) {
        l.fix_axis(grid, axis, "says where to sample");
        grid.shape[axis] = 1;
        if (axis < 2) continue;
        l.fix_axis(x, axis, "samples this axis");
        x.shape[axis] = passed[axis] = 1;
    }
    const bool vanishes = x.vanishes;
    auto out = l.broadcast({x, grid}, passed);
    out.shape = shape;
    out.vanishes = vanishes;
    l.set(node.outputs[0], std::move(out));
}

/// adaptive_avg_pool2d(x, sizes)
torch::Tensor adaptive_shape(const std::vector<c10::IValue>& arguments) {
    const auto sizes = arguments[1].toIntVector();
    auto shape = arguments[0].toTensor().sizes().vec();
    std::copy(sizes.begin(), sizes.end(), shape.end() - static_cast<int64_t>(sizes.size()));
    return on_meta(shape, arguments[0].toTensor().scalar_type());
}

}  // namespace

void add_resampling(std::vector<Operator>& all) {
    add(all, {.labels = resample<1>},
        {"max_pool1d", "max_pool1d_with_indices", "avg_pool1d", "adaptive_max_pool1d", "upsample_linear1d",
         "upsample_nearest1d", "_upsample_nearest_exact1d", "reflection_pad1d", "replication_pad1d"});
    add(all, {.labels = resample<1>, .shape = adaptive_shape}, {"adaptive_avg_pool1d"});
    add(all, {.labels = resample<2>},
        {"max_pool2d", "max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d",
         "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_nearest_exact2d",
         "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "reflection_pad2d", "replication_pad2d"});
    add(all, {.labels = resample<2>, .shape = adaptive_shape}, {"adaptive_avg_pool2d"});
    add(all, {.labels = resample<3>},
        {"max_pool3d", "max_pool3d_with_indices", "avg_pool3d", "_adaptive_avg_pool3d", "adaptive_max_pool3d",
         "upsample_nearest3d", "_upsample_nearest_exact3d", "upsample_trilinear3d", "reflection_pad3d",
         "replication_pad3d"});
    add(all, {.labels = resample<3>, .shape = adaptive_shape}, {"adaptive_avg_pool3d"});
    add(all, {.labels = unpool<2>, .shape = unpool_shape}, {"max_unpool2d"});
    add(all, {.labels = unpool<3>, .shape = unpool_shape}, {"max_unpool3d"});
    add(all, {.labels = sample_grid}, {"grid_sampler", "grid_sampler_2d", "grid_sampler_3d"});
}

}  // namespace mtlprune
