#include "models/convolve.h"

#include <torch/csrc/jit/frontend/tracer.h>

#include "models/conv_taps.h"

namespace mtlprune {
namespace {

constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;
/// oneDNN's channels-last kernel for the input gradient falls behind its blocked one from this many input
/// channels on.
constexpr int64_t kBlockedInputGradient = 256;

int64_t same_padding(const torch::Tensor& weight, int64_t dilation) {
    return dilation * (weight.size(2) - 1) / 2;
}

/// Matrix products beat oneDNN where the padding makes up much of the window, and for 1x1 kernels.
bool use_taps(const torch::Tensor& x, const torch::Tensor& weight, int64_t dilation) {
    return weight.size(2) == 1 || valid_tap_share(x, weight, dilation) <= 0.9;
}

std::array<torch::Tensor, 3> onednn_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                             const torch::Tensor& weight, int64_t dilation,
                                             std::array<bool, 3> wanted) {
    const int64_t padding = same_padding(weight, dilation);
    const std::vector<int64_t> bias_sizes = {weight.size(0)};
    const auto backward = [&](const torch::Tensor& g, const torch::Tensor& input, std::array<bool, 3> mask) {
        return at::convolution_backward(g, input, weight, bias_sizes, {1, 1}, {padding, padding},
                                        {dilation, dilation}, false, {0, 0}, 1, mask);
    };
    const auto g = gradient.contiguous(kChannelsLast);
    std::array<torch::Tensor, 3> gradients;
    const bool blocked = wanted[0] && x.size(1) >= kBlockedInputGradient;
    if (blocked) {
        // The input gradient does not depend on the values of x, only on its shape and layout.
        gradients[0] =
            std::get<0>(backward(g.contiguous(), torch::empty(x.sizes(), x.options()), {true, false, false}));
    }
    const std::array<bool, 3> rest = {wanted[0] && !blocked, wanted[1], wanted[2]};
    if (rest[0] || rest[1] || rest[2]) {
        auto [input, w, b] = backward(g, x, rest);
        if (rest[0]) gradients[0] = input;
        gradients[1] = w;
        gradients[2] = b;
    }
    return gradients;
}

class Convolution : public torch::autograd::Function<Convolution> {
  public:
    static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& weight, const c10::optional<torch::Tensor>& bias,
                                 int64_t dilation) {
        context->save_for_backward({x, weight});
        context->saved_data["dilation"] = dilation;
        context->saved_data["bias"] = bias.has_value();
        if (use_taps(x, weight, dilation))
            return tap_forward(x, weight, bias.value_or(torch::Tensor()), dilation);
        return at::conv2d(x, weight, bias, /*stride=*/1, same_padding(weight, dilation), dilation);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto& weight = saved[1];
        const int64_t dilation = context->saved_data["dilation"].toInt();
        const std::array<bool, 3> wanted = {
            context->needs_input_grad(0), context->needs_input_grad(1),
            context->saved_data["bias"].toBool() && context->needs_input_grad(2)};
        const auto result = use_taps(x, weight, dilation)
                                ? tap_backward(gradients[0], x, weight, dilation, wanted)
                                : onednn_backward(gradients[0], x, weight, dilation, wanted);
        return {result[0], result[1], result[2], {}};
    }
};

}  // namespace

torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2d& layer) {
    const int64_t dilation = layer->options.dilation()->at(0);
    if (!x.is_cpu() || x.scalar_type() != torch::kFloat || torch::jit::tracer::isTracing())
        return at::conv2d(x, layer->weight, layer->bias, /*stride=*/1, same_padding(layer->weight, dilation),
                          dilation);
    const auto bias = layer->bias.defined() ? c10::make_optional(layer->bias) : c10::nullopt;
    return Convolution::apply(x.contiguous(kChannelsLast), layer->weight, bias, dilation);
}

}  // namespace mtlprune
