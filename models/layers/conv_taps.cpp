#include "models/layers/conv_taps.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <cstdlib>

namespace mtlprune {
namespace {

/// Output rows `begin`..`begin+length` read input rows shifted by `shift`; the rest reads padding.
struct Range {
    int64_t shift, begin, length;
    static Range of(int64_t tap, int64_t kernel, int64_t dilation, int64_t size) {
        const int64_t shift = (tap - kernel / 2) * dilation;
        return {shift, std::max<int64_t>(0, -shift), std::max<int64_t>(0, size - std::abs(shift))};
    }
};

struct Tap {
    int64_t index;  ///< row-major in the kernel
    Range y, x;
    bool whole() const { return y.shift == 0 && x.shift == 0; }
};

/// The centre first: it covers every position.
std::vector<Tap> valid_taps(const torch::Tensor& x, const torch::Tensor& weight, int64_t dilation) {
    const int64_t kernel = weight.size(2);
    std::vector<Tap> taps;
    for (int64_t i = 0; i < kernel * kernel; ++i) {
        const Tap tap = {i, Range::of(i / kernel, kernel, dilation, x.size(2)),
                         Range::of(i % kernel, kernel, dilation, x.size(3))};
        if (tap.y.length * tap.x.length > 0) taps.insert(tap.whole() ? taps.begin() : taps.end(), tap);
    }
    return taps;
}

/// [B,C,H,W] -> [B,H,W,C], dense.
torch::Tensor channels_inside(const torch::Tensor& x) {
    return x.contiguous(torch::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1});
}

torch::Tensor output_window(const torch::Tensor& map, const Tap& tap) {
    return map.narrow(1, tap.y.begin, tap.y.length).narrow(2, tap.x.begin, tap.x.length);
}

torch::Tensor input_window(const torch::Tensor& map, const Tap& tap) {
    return map.narrow(1, tap.y.begin + tap.y.shift, tap.y.length)
        .narrow(2, tap.x.begin + tap.x.shift, tap.x.length);
}

torch::Tensor rows(const torch::Tensor& window) {
    return window.reshape({-1, window.size(3)});
}

/// [O,C,k,k] -> [taps,O,C]; at::copy_ takes ten times as long for this transposition.
torch::Tensor split_taps(const torch::Tensor& weight, const std::vector<Tap>& taps) {
    const auto source = weight.contiguous();
    const int64_t outputs = weight.size(0), inputs = weight.size(1), kernel = weight.size(2) * weight.size(3);
    if (kernel == 1) return source.view({1, outputs, inputs});
    auto split = torch::empty({static_cast<int64_t>(taps.size()), outputs, inputs},
                              weight.options().requires_grad(false));
    const float* from = source.data_ptr<float>();
    float* to = split.data_ptr<float>();
    at::parallel_for(0, outputs, std::max<int64_t>(1, 32768 / (inputs * kernel)),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t o = begin; o < end; ++o)
                             for (size_t t = 0; t < taps.size(); ++t) {
                                 const float* row = from + o * inputs * kernel + taps[t].index;
                                 float* out = to + (static_cast<int64_t>(t) * outputs + o) * inputs;
                                 for (int64_t c = 0; c < inputs; ++c) out[c] = row[c * kernel];
                             }
                     });
    return split;
}

/// [taps,O,C] -> [O,C,k,k], 0 for taps that meet no position.
torch::Tensor join_taps(const torch::Tensor& split, const torch::Tensor& like, const std::vector<Tap>& taps) {
    const int64_t outputs = like.size(0), inputs = like.size(1), kernel = like.size(2) * like.size(3);
    if (kernel == 1) return split.view(like.sizes());
    std::vector<const float*> sources(kernel, nullptr);
    for (size_t t = 0; t < taps.size(); ++t)
        sources[taps[t].index] = split.data_ptr<float>() + static_cast<int64_t>(t) * outputs * inputs;
    auto joined = torch::empty(like.sizes(), like.options().requires_grad(false));
    float* to = joined.data_ptr<float>();
    at::parallel_for(0, outputs, std::max<int64_t>(1, 32768 / (inputs * kernel)),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t o = begin; o < end; ++o)
                             for (int64_t k = 0; k < kernel; ++k) {
                                 const float* row = sources[k] == nullptr ? nullptr : sources[k] + o * inputs;
                                 float* out = to + o * inputs * kernel + k;
                                 for (int64_t c = 0; c < inputs; ++c)
                                     out[c * kernel] = row == nullptr ? 0.0F : row[c];
                             }
                     });
    return joined;
}

torch::Tensor input_gradient(const torch::Tensor& gradient, const torch::Tensor& weights,
                             const std::vector<Tap>& taps) {
    const auto whole = at::mm(rows(gradient), weights[0]);
    auto sum = whole.view({gradient.size(0), gradient.size(1), gradient.size(2), weights.size(2)});
    for (size_t t = 1; t < taps.size(); ++t) {
        const auto window = output_window(gradient, taps[t]);
        auto target = input_window(sum, taps[t]);
        target.add_(at::mm(rows(window), weights[static_cast<int64_t>(t)]).view(target.sizes()));
    }
    return sum.permute({0, 3, 1, 2});
}

torch::Tensor weight_gradient(const torch::Tensor& gradient, const torch::Tensor& x,
                              const torch::Tensor& weight, const std::vector<Tap>& taps) {
    auto split =
        torch::empty({static_cast<int64_t>(taps.size()), weight.size(0), weight.size(1)}, x.options());
    for (size_t t = 0; t < taps.size(); ++t) {
        auto target = split[static_cast<int64_t>(t)];
        at::mm_out(target, rows(output_window(gradient, taps[t])).t(), rows(input_window(x, taps[t])));
    }
    return join_taps(split, weight, taps);
}

}  // namespace

double valid_tap_share(const torch::Tensor& x, const torch::Tensor& weight, int64_t dilation) {
    const int64_t kernel = weight.size(2);
    double share = 1.0;
    for (const int64_t size : {x.size(2), x.size(3)}) {
        int64_t valid = 0;
        for (int64_t tap = 0; tap < kernel; ++tap) valid += Range::of(tap, kernel, dilation, size).length;
        share *= static_cast<double>(valid) / static_cast<double>(kernel * size);
    }
    return share;
}

torch::Tensor tap_forward(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                          int64_t dilation) {
    const torch::NoGradGuard no_grad;
    const auto taps = valid_taps(x, weight, dilation);
    const auto weights = split_taps(weight, taps).transpose(1, 2);  // [taps,C,O]
    const auto map = channels_inside(x);
    const auto whole =
        bias.defined() ? at::addmm(bias, rows(map), weights[0]) : at::mm(rows(map), weights[0]);
    auto sum = whole.view({x.size(0), x.size(2), x.size(3), weight.size(0)});
    for (size_t t = 1; t < taps.size(); ++t) {
        auto target = output_window(sum, taps[t]);
        target.add_(
            at::mm(rows(input_window(map, taps[t])), weights[static_cast<int64_t>(t)]).view(target.sizes()));
    }
    return sum.permute({0, 3, 1, 2});
}

std::array<torch::Tensor, 3> tap_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                          const torch::Tensor& weight, int64_t dilation,
                                          std::array<bool, 3> wanted) {
    const torch::NoGradGuard no_grad;
    const auto taps = valid_taps(x, weight, dilation);
    const auto g = channels_inside(gradient);
    std::array<torch::Tensor, 3> gradients;
    if (wanted[0]) gradients[0] = input_gradient(g, split_taps(weight, taps), taps);
    if (wanted[1]) gradients[1] = weight_gradient(g, channels_inside(x), weight, taps);
    if (wanted[2]) gradients[2] = rows(g).sum(0);
    return gradients;
}

}  // namespace mtlprune
