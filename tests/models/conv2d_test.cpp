// The convolution of our networks is LibTorch's to everything but the clock.
#include "models/layers/conv2d.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

namespace mtlprune::conv2d_test {
namespace {

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

TEST(Conv2d, EqualsLibTorchsForEveryKindOfOptions) {
    using Options = torch::nn::Conv2dOptions;
    const std::vector<Options> kinds = {Options(4, 6, 3).padding(1),
                                        Options(4, 6, 3).padding(2).dilation(2),
                                        Options(4, 6, 1),
                                        Options(4, 6, 3).stride(2).padding(1),
                                        Options(4, 6, 3),
                                        Options(4, 6, {3, 1}).padding({1, 0}),
                                        Options(4, 6, 2).padding(1),
                                        Options(4, 8, 3).padding(1).groups(2),
                                        Options(4, 6, 3).padding(torch::kSame),
                                        Options(4, 6, 3).padding(1).padding_mode(torch::kReflect),
                                        Options(4, 6, 3).padding(1).bias(false)};
    const torch::NoGradGuard no_grad;
    const auto x = noise({2, 4, 11, 9}, 1);
    for (size_t i = 0; i < kinds.size(); ++i) {
        torch::nn::Conv2d theirs(kinds[i]);
        Conv2d ours(kinds[i]);
        ours->weight.copy_(theirs->weight);
        if (theirs->bias.defined()) ours->bias.copy_(theirs->bias);
        const auto expected = theirs(x), found = ours(x);
        ASSERT_EQ(found.sizes(), expected.sizes()) << i;
        EXPECT_TRUE(torch::allclose(found, expected, 1e-5, 1e-5)) << i;
    }
}

TEST(Conv2d, IsALibTorchConvolutionToWhoLooksAtIt) {
    auto layer = same_convolution(3, 5, 3, 2);
    EXPECT_NE(layer->as<torch::nn::Conv2d>(), nullptr);
    EXPECT_EQ(layer(noise({1, 3, 10, 12}, 1)).sizes().vec(), (std::vector<int64_t>{1, 5, 10, 12}));
}

TEST(Conv2d, KernelsAreSetForAllLayersOfANetwork) {
    torch::nn::Module network;
    const auto inner = network.register_module("inner", std::make_shared<torch::nn::Module>());
    const auto first = network.register_module("first", same_convolution(3, 4, 3));
    const auto second = inner->register_module("second", same_convolution(4, 4, 1));
    auto shared = std::make_shared<torch::nn::Module>(network);
    use_kernels(*shared, ConvolutionKernels::library);
    EXPECT_EQ(first->kernels, ConvolutionKernels::library);
    EXPECT_EQ(second->kernels, ConvolutionKernels::library);
}

}  // namespace
}  // namespace mtlprune::conv2d_test
