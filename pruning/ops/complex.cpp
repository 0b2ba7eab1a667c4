// Complex numbers and Fourier transforms.
#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// [..., 2] -> [...]: real and imaginary parts.
void join_parts(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    l.fix_axis(x, x.shape.size() - 1, "real and imaginary parts");
    x.shape.pop_back();
    l.set(node.outputs[0], std::move(x));
}

/// [...] -> [..., 2]
void split_parts(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    x.shape.push_back(2);
    l.set(node.outputs[0], std::move(x));
}

/// (x, sizes, axes, norm) mixes these axes, by default the last ones; without a default all.
template <size_t by_default>
void transform(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const size_t rank = x.shape.size();
    const auto named = l.graph().integers(node.inputs[2]);
    const size_t count = by_default == 0 ? rank : by_default;
    for (size_t axis = 0; axis < rank; ++axis) {
        bool mixes = !named && axis + count >= rank;
        if (named)
            for (const int64_t name : *named) mixes = mixes || wrap_axis(name, rank) == axis;
        if (mixes) l.fix_axis(x, axis, "every channel of this axis decides the result");
    }
    x.shape = l.shape(node.outputs[0]);
    l.set(node.outputs[0], std::move(x));
}

/// fft_fftshift(x, axes) turns these axes (all, if none are named) around.
void shift(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const auto named = l.graph().integers(node.inputs[1]);
    for (size_t axis = 0; axis < x.shape.size(); ++axis) {
        bool moves = !named;
        if (named)
            for (const int64_t name : *named) moves = moves || wrap_axis(name, x.shape.size()) == axis;
        if (moves) l.fix_axis(x, axis, "its entries move by half its size");
    }
    l.set(node.outputs[0], std::move(x));
}

}  // namespace

void add_complex(std::vector<Operator>& all) {
    add(all, {.labels = join_parts, .memory = Memory::view}, {"view_as_complex"});
    add(all, {.labels = split_parts, .memory = Memory::view}, {"view_as_real"});
    add(all, {.labels = transform<1>},
        {"fft_fft", "fft_ifft", "fft_rfft", "fft_irfft", "fft_hfft", "fft_ihfft"});
    add(all, {.labels = transform<2>},
        {"fft_fft2", "fft_ifft2", "fft_rfft2", "fft_irfft2", "fft_hfft2", "fft_ihfft2"});
    add(all, {.labels = transform<0>},
        {"fft_fftn", "fft_ifftn", "fft_rfftn", "fft_irfftn", "fft_hfftn", "fft_ihfftn"});
    add(all, {.labels = shift}, {"fft_fftshift", "fft_ifftshift"});
}

}  // namespace mtlprune
