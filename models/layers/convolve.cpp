#include "models/layers/convolve.h"

#include <torch/autograd.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include "models/layers/autocast.h"
#include "models/layers/conv_taps.h"
#include "models/layers/conv_winograd.h"

namespace mtlprune {
namespace {

/// How many LibraryConvolutions there are.
thread_local int library_convolutions = 0;

constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;

enum class Pass { forward, input_gradient, weight_gradient };

/// oneDNN in one of two memory layouts, models/layers/conv_taps.h or models/layers/conv_winograd.h.
enum class Kernel { contiguous, channels_last, taps, winograd };

/// Fewer channels than about 24 are mostly padding to models/layers/winograd_kernels.h. A tile takes a
/// quarter of the definition's multiplications, and some time to transform; on small maps tiles are mostly
/// border and many of the definition's taps in the padding. Forward passes and input gradients transform the
/// weights first, which must not be most of the work.
bool winograd_pays(Pass pass, const torch::Tensor& x, const torch::Tensor& weight, int64_t dilation,
                   int64_t maps) {
    constexpr double kCost = 0.45;
    if (std::min(weight.size(0), weight.size(1)) < 24) return false;
    if (kCost > winograd_tile_share(x, dilation) * valid_tap_share(x, weight, dilation)) return false;
    return pass == Pass::weight_gradient || weight.numel() <= 8 * maps;
}

/// The rule, read off bench_convolution (LibTorch 1.13, oneDNN 2.6, AVX-512); it depends on shapes alone.
Kernel choose(Pass pass, const torch::Tensor& x, const torch::Tensor& weight, int64_t dilation) {
    const int64_t kernel = weight.size(2);
    const int64_t maps = x.size(0) * x.size(2) * x.size(3) * (weight.size(0) + weight.size(1));
    // Converting the weights, which the channels-last kernels do slowly, takes longer than converting the
    // maps.
    const bool heavy_weights = weight.numel() > maps;
    if (kernel == 1) return heavy_weights ? Kernel::taps : Kernel::channels_last;
    // oneDNN has no kernel for the weight gradient when the padding is this wide.
    if (pass == Pass::weight_gradient && valid_tap_share(x, weight, dilation) < 0.45) return Kernel::taps;
    if (kernel == 3 && winograd_pays(pass, x, weight, dilation, maps)) return Kernel::winograd;
    if (heavy_weights) return Kernel::contiguous;
    // The channels-last kernel for input gradients falls behind from about 256 input channels on.
    return pass == Pass::input_gradient && x.size(1) >= 256 ? Kernel::contiguous : Kernel::channels_last;
}

int64_t same_padding(const torch::Tensor& weight, int64_t dilation) {
    return dilation * (weight.size(2) - 1) / 2;
}

torch::Tensor in_layout(const torch::Tensor& map, Kernel kernel) {
    return map.contiguous(kernel == Kernel::contiguous ? torch::MemoryFormat::Contiguous : kChannelsLast);
}

struct Saved {
    torch::Tensor gradient, x, weight;
    int64_t dilation;
    bool bias;
};

std::array<torch::Tensor, 3> library_backward(const Saved& saved, const torch::Tensor& x, Kernel kernel,
                                              std::array<bool, 3> wanted) {
    const int64_t padding = same_padding(saved.weight, saved.dilation);
    const std::vector<int64_t> bias_sizes = {saved.weight.size(0)};
    auto [input, weight, bias] = at::convolution_backward(
        in_layout(saved.gradient, kernel), x, saved.weight, bias_sizes, {1, 1}, {padding, padding},
        {saved.dilation, saved.dilation}, false, {0, 0}, 1, wanted);
    return {input, weight, bias};
}

torch::Tensor input_gradient(const Saved& saved) {
    const Kernel kernel = choose(Pass::input_gradient, saved.x, saved.weight, saved.dilation);
    const std::array<bool, 3> wanted = {true, false, false};
    if (kernel == Kernel::taps)
        return tap_backward(saved.gradient, saved.x, saved.weight, saved.dilation, wanted)[0];
    if (kernel == Kernel::winograd)
        return winograd_backward(saved.gradient, saved.x, saved.weight, saved.dilation, wanted)[0];
    // It depends on the shape and layout of x only, so that its values need not be converted.
    const auto like = kernel == Kernel::contiguous && !saved.x.is_contiguous()
                          ? torch::empty(saved.x.sizes(), saved.x.options())
                          : in_layout(saved.x, kernel);
    return library_backward(saved, like, kernel, wanted)[0];
}

std::array<torch::Tensor, 3> backward_of_weights(const Saved& saved) {
    const Kernel kernel = choose(Pass::weight_gradient, saved.x, saved.weight, saved.dilation);
    const std::array<bool, 3> wanted = {false, true, saved.bias};
    if (kernel == Kernel::taps)
        return tap_backward(saved.gradient, saved.x, saved.weight, saved.dilation, wanted);
    if (kernel == Kernel::winograd)
        return winograd_backward(saved.gradient, saved.x, saved.weight, saved.dilation, wanted);
    return library_backward(saved, in_layout(saved.x, kernel), kernel, wanted);
}

/// Weight's and bias's.
std::pair<torch::Tensor, torch::Tensor> weight_gradient(const Saved& saved) {
    const auto gradients = backward_of_weights(saved);
    // Optimisers and criteria pass faster over gradients that are laid out like the weights.
    return {gradients[1].contiguous(), gradients[2]};
}

class Convolution : public torch::autograd::Function<Convolution> {
  public:
    static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& weight, const c10::optional<torch::Tensor>& bias,
                                 int64_t dilation) {
        context->save_for_backward({x, weight});
        context->saved_data["dilation"] = dilation;
        context->saved_data["bias"] = bias.has_value();
        const Kernel kernel = choose(Pass::forward, x, weight, dilation);
        const auto offset = bias.value_or(torch::Tensor());
        if (kernel == Kernel::taps) return tap_forward(x, weight, offset, dilation);
        if (kernel == Kernel::winograd) return winograd_forward(x, weight, offset, dilation);
        return at::conv2d(x, weight, bias, /*stride=*/1, same_padding(weight, dilation), dilation);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto tensors = context->get_saved_variables();
        const bool bias = context->saved_data["bias"].toBool() && context->needs_input_grad(2);
        const Saved saved = {gradients[0], tensors[0], tensors[1], context->saved_data["dilation"].toInt(),
                             bias};
        torch::Tensor of_input, of_weight, of_bias;
        if (context->needs_input_grad(0)) of_input = input_gradient(saved);
        if (context->needs_input_grad(1) || bias) std::tie(of_weight, of_bias) = weight_gradient(saved);
        return {of_input, of_weight, of_bias, {}};
    }
};

}  // namespace

LibraryConvolutions::LibraryConvolutions() {
    ++library_convolutions;
}

LibraryConvolutions::~LibraryConvolutions() {
    --library_convolutions;
}

torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2dImpl& layer,
                       ConvolutionKernels kernels) {
    const int64_t dilation = layer.options.dilation()->at(0);
    const bool chosen =
        x.is_cpu() && x.scalar_type() == torch::kFloat && !autocasting(x) && !torch::jit::tracer::isTracing();
    if (!chosen || kernels == ConvolutionKernels::library || library_convolutions > 0)
        return at::conv2d(chosen ? x.contiguous() : x, layer.weight, layer.bias, /*stride=*/1,
                          same_padding(layer.weight, dilation), dilation);
    const auto bias = layer.bias.defined() ? c10::make_optional(layer.bias) : c10::nullopt;
    return Convolution::apply(in_layout(x, choose(Pass::forward, x, layer.weight, dilation)), layer.weight,
                              bias, dilation);
}

}  // namespace mtlprune
