#include "models/layers/convolve.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/utils.h>

#include <set>

#include "models/layers/autocast.h"

namespace mtlprune::convolve_test {
namespace {

struct Case {
    int64_t inputs, outputs, kernel, dilation, height, width;
    bool bias = true;
    torch::ScalarType type = torch::kFloat;
    torch::MemoryFormat format = torch::MemoryFormat::Contiguous;
};

torch::Tensor noise(at::IntArrayRef shape, uint64_t key, torch::ScalarType type) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key)).to(type);
}

torch::nn::Conv2d make_layer(const Case& c) {
    torch::nn::Conv2d layer(torch::nn::Conv2dOptions(c.inputs, c.outputs, c.kernel)
                                .padding(c.dilation * (c.kernel - 1) / 2)
                                .dilation(c.dilation)
                                .bias(c.bias));
    layer->to(c.type);
    torch::NoGradGuard no_grad;
    layer->weight.copy_(noise(layer->weight.sizes(), 1, c.type));
    if (c.bias) layer->bias.copy_(noise(layer->bias.sizes(), 2, c.type));
    return layer;
}

/// The definition, tap by tap, in float64 on a zero-padded image.
torch::Tensor by_definition(const torch::Tensor& x, const torch::nn::Conv2d& layer, int64_t dilation) {
    const auto weight = layer->weight.to(torch::kDouble);
    const int64_t kernel = weight.size(2), padding = dilation * (kernel / 2);
    const auto padded = torch::constant_pad_nd(x.to(torch::kDouble), {padding, padding, padding, padding});
    torch::Tensor sum;
    for (int64_t i = 0; i < kernel; ++i)
        for (int64_t j = 0; j < kernel; ++j) {
            const auto window = padded.narrow(2, i * dilation, x.size(2)).narrow(3, j * dilation, x.size(3));
            const auto term = torch::einsum("bchw,oc->bohw", {window, weight.select(3, j).select(2, i)});
            sum = sum.defined() ? sum + term : term;
        }
    return layer->bias.defined() ? sum + layer->bias.to(torch::kDouble).view({1, -1, 1, 1}) : sum;
}

void expect_close(const torch::Tensor& found, const torch::Tensor& expected, double tolerance,
                  const char* what) {
    ASSERT_EQ(found.sizes(), expected.sizes()) << what;
    const double scale = expected.abs().max().item<double>() + 1e-30;
    EXPECT_LT((found.to(torch::kDouble) - expected).abs().max().item<double>() / scale, tolerance) << what;
}

class Convolve : public testing::TestWithParam<Case> {};

TEST_P(Convolve, EqualsTheDefinitionInValueAndGradients) {
    const Case c = GetParam();
    const auto layer = make_layer(c);
    auto x = noise({2, c.inputs, c.height, c.width}, 3, c.type).contiguous(c.format).requires_grad_(true);
    const auto y = convolve(x, *layer);
    const auto expected = by_definition(x, layer, c.dilation);
    const double tolerance = c.type == torch::kDouble ? 1e-12 : 1e-5;
    EXPECT_EQ(y.scalar_type(), c.type);
    expect_close(y.detach(), expected.detach(), tolerance, "value");

    const auto upstream = noise(y.sizes(), 4, c.type);
    std::vector<torch::Tensor> inputs = {x, layer->weight};
    if (c.bias) inputs.push_back(layer->bias);
    const auto found = torch::autograd::grad({y}, inputs, {upstream});
    const auto wanted = torch::autograd::grad({expected}, inputs, {upstream.to(torch::kDouble)});
    for (size_t i = 0; i < inputs.size(); ++i)
        expect_close(found[i], wanted[i].to(torch::kDouble), tolerance,
                     i == 0   ? "input"
                     : i == 1 ? "weight"
                              : "bias");
}

constexpr auto kLast = torch::MemoryFormat::ChannelsLast;
INSTANTIATE_TEST_SUITE_P(
    Shapes, Convolve,
    testing::Values(Case{3, 8, 3, 1, 40, 33}, Case{16, 16, 3, 1, 40, 40, true, torch::kFloat, kLast},
                    Case{7, 11, 3, 1, 37, 29}, Case{7, 11, 3, 1, 5, 6}, Case{5, 9, 3, 2, 10, 10},
                    Case{5, 9, 3, 2, 40, 40}, Case{9, 5, 3, 4, 10, 9, false}, Case{9, 5, 3, 6, 10, 10},
                    Case{9, 5, 3, 6, 10, 10, false, torch::kFloat, kLast}, Case{6, 7, 3, 6, 2, 3},
                    Case{6, 7, 3, 1, 1, 1}, Case{13, 7, 1, 1, 10, 10}, Case{13, 7, 1, 1, 4, 3, false},
                    Case{258, 6, 3, 1, 30, 31}, Case{24, 37, 3, 1, 30, 31},
                    Case{24, 37, 3, 1, 8, 9, false, torch::kFloat, kLast}, Case{64, 72, 3, 1, 9, 8},
                    Case{5, 9, 3, 6, 10, 10, true, torch::kDouble},
                    Case{7, 3, 3, 1, 20, 20, true, torch::kDouble},
                    Case{7, 3, 1, 1, 5, 5, true, torch::kDouble}));

TEST(ConvolveInput, MayBeAnyView) {
    const auto layer = make_layer({4, 3, 3, 1, 0, 0});
    const auto view = noise({2, 40, 30, 4}, 5, torch::kFloat).permute({0, 3, 2, 1}).slice(3, 1, 40, 2);
    expect_close(convolve(view, *layer).detach(), by_definition(view, layer, 1).detach(), 1e-5, "value");
}

TEST(ConvolveInput, WithoutGradientLeavesTheWeightsGradientIntact) {
    const auto layer = make_layer({3, 6, 3, 1, 0, 0});
    const auto image = noise({2, 3, 32, 32}, 6, torch::kFloat);
    const auto upstream = noise({2, 6, 32, 32}, 7, torch::kFloat);
    const auto found = torch::autograd::grad({convolve(image, *layer)}, {layer->weight}, {upstream});
    const auto wanted = torch::autograd::grad({by_definition(image, layer, 1)}, {layer->weight},
                                              {upstream.to(torch::kDouble)});
    expect_close(found[0], wanted[0].to(torch::kDouble), 1e-5, "weight");
}

TEST(ConvolveInput, GradientWorksWithFrozenWeights) {
    const auto layer = make_layer({5, 6, 3, 2, 0, 0});
    layer->weight.requires_grad_(false);
    layer->bias.requires_grad_(false);
    auto x = noise({1, 5, 8, 8}, 8, torch::kFloat).requires_grad_(true);
    const auto upstream = noise({1, 6, 8, 8}, 9, torch::kFloat);
    const auto found = torch::autograd::grad({convolve(x, *layer)}, {x}, {upstream});
    const auto wanted =
        torch::autograd::grad({by_definition(x, layer, 2)}, {x}, {upstream.to(torch::kDouble)});
    expect_close(found[0], wanted[0].to(torch::kDouble), 1e-5, "input");
}

TEST(ConvolveRepeated, IsBitwiseEqualAndIndependentOfGradMode) {
    for (const Case& c : {Case{8, 8, 3, 1, 32, 32}, Case{32, 32, 3, 1, 32, 32}, Case{8, 8, 3, 4, 9, 9}}) {
        const auto layer = make_layer(c);
        const auto x = noise({2, c.inputs, c.height, c.width}, 10, c.type);
        const auto first = convolve(x, *layer);
        EXPECT_TRUE(first.equal(convolve(x, *layer)));
        torch::NoGradGuard no_grad;
        EXPECT_TRUE(first.equal(convolve(x, *layer)));
    }
}

TEST(ConvolveTraced, IsAnOrdinaryConvolutionNode) {
    for (const bool gradients : {false, true}) {
        const torch::AutoGradMode mode(gradients);
        const auto layer = make_layer({4, 6, 3, 6, 0, 0});
        for (auto& parameter : layer->parameters())
            parameter.requires_grad_(false);  // the tracer's constants
        const auto x = noise({1, 4, 10, 10}, 11, torch::kFloat);
        const auto traced = torch::jit::tracer::trace(
            {x},
            [&](torch::jit::Stack inputs) {
                return torch::jit::Stack{convolve(inputs[0].toTensor(), *layer)};
            },
            [](const torch::Tensor&) { return std::string(); });
        std::set<std::string> kinds;
        for (const auto* node : traced.first->graph->nodes()) kinds.insert(node->kind().toQualString());
        EXPECT_TRUE(kinds.count("aten::conv2d") + kinds.count("aten::_convolution") +
                    kinds.count("aten::convolution"));
    }
}

TEST(ConvolveCast, ComputesInTheTypeOfAutomaticCasts) {
    const auto layer = make_layer({4, 6, 3, 2, 0, 0});
    const auto x = noise({2, 4, 10, 10}, 12, torch::kFloat);
    const auto exact = by_definition(x, layer, 2);
    torch::Tensor cast;
    {
        const Autocast casts(torch::kCPU, torch::kBFloat16);
        cast = convolve(x, *layer);
    }
    EXPECT_EQ(cast.scalar_type(), torch::kBFloat16);
    // 8 bits of 36 products whose sum is of the order of 6
    EXPECT_LT((cast.to(torch::kDouble) - exact).abs().max().item<double>(), 0.25);
    cast.sum().backward();
    EXPECT_EQ(layer->weight.grad().scalar_type(), torch::kFloat);
    EXPECT_EQ(convolve(x, *layer).scalar_type(), torch::kFloat);
}

}  // namespace
}  // namespace mtlprune::convolve_test
