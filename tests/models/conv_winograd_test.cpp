#include "models/layers/conv_winograd.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace mtlprune::conv_winograd_test {
namespace {

struct Case {
    int64_t batch, inputs, outputs, height, width;
    bool bias = true;
    int64_t dilation = 1;
};

struct Tensors {
    torch::Tensor x, weight, bias, gradient;
    int64_t dilation = 1;
};

Tensors make_tensors(const Case& c) {
    auto generator = at::detail::createCPUGenerator(1);
    const auto noise = [&](at::IntArrayRef shape) {
        return torch::empty(shape).normal_(0.0, 1.0, generator);
    };
    Tensors t = {noise({c.batch, c.inputs, c.height, c.width}),
                 noise({c.outputs, c.inputs, 3, 3}),
                 {},
                 noise({c.batch, c.outputs, c.height, c.width})};
    if (c.bias) t.bias = noise({c.outputs});
    t.dilation = c.dilation;
    return t;
}

/// Output and gradients by the library in double precision.
std::vector<torch::Tensor> expected(const Tensors& t) {
    const auto in_double = [](const torch::Tensor& x) { return x.defined() ? x.to(torch::kDouble) : x; };
    const auto x = in_double(t.x), weight = in_double(t.weight);
    const auto bias =
        t.bias.defined() ? c10::make_optional(in_double(t.bias)) : c10::optional<torch::Tensor>();
    const std::vector<int64_t> bias_sizes = {t.weight.size(0)};
    const std::vector<int64_t> dilation(2, t.dilation);
    const auto [dx, dw, db] =
        at::convolution_backward(in_double(t.gradient), x, weight, bias_sizes, {1, 1}, dilation, dilation,
                                 false, {0, 0}, 1, {true, true, true});
    return {at::conv2d(x, weight, bias, 1, dilation, dilation), dx, dw, db};
}

std::vector<torch::Tensor> found(const Tensors& t) {
    auto [dx, dw, db] = winograd_backward(t.gradient, t.x, t.weight, t.dilation, {true, true, true});
    return {winograd_forward(t.x, t.weight, t.bias, t.dilation), dx, dw, db};
}

constexpr const char* kNames[] = {"output", "input_gradient", "weight_gradient", "bias_gradient"};

class Winograd : public testing::TestWithParam<Case> {};

TEST_P(Winograd, EqualsTheLibraryInDoublePrecision) {
    const auto tensors = make_tensors(GetParam());
    const auto results = found(tensors), references = expected(tensors);
    for (size_t i = 0; i < references.size(); ++i) {
        ASSERT_EQ(results[i].sizes(), references[i].sizes()) << i;
        const auto error = (results[i].to(torch::kDouble) - references[i]).abs().max();
        const auto relative = (error / references[i].abs().max()).item<double>();
        EXPECT_LT(relative, 1e-5) << i;
        RecordProperty(kNames[i], fmt::format("{:.1e}", relative));
    }
    EXPECT_TRUE(results[0].is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(results[1].is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(results[2].is_contiguous());
}

TEST_P(Winograd, RepeatsBitwiseForAnyNumberOfThreads) {
    const auto tensors = make_tensors(GetParam());
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const auto single = found(tensors);
    at::set_num_threads(2);
    const auto both = found(tensors), again = found(tensors);
    at::set_num_threads(threads);
    for (size_t i = 0; i < single.size(); ++i) {
        EXPECT_TRUE(single[i].equal(both[i])) << i;
        EXPECT_TRUE(both[i].equal(again[i])) << i;
    }
}

// The last two share the sums of weight gradients out: 2 slices of tiles, 2 x 2 slices and uneven parts.
INSTANTIATE_TEST_SUITE_P(Dilated, Winograd,
                         testing::Values(Case{2, 37, 64, 17, 17, true, 2}, Case{1, 64, 40, 17, 19, true, 4},
                                         Case{1, 3, 5, 1, 3, false, 6}, Case{2, 40, 33, 21, 10, true, 6}));

INSTANTIATE_TEST_SUITE_P(Shapes, Winograd,
                         testing::Values(Case{1, 1, 1, 1, 1}, Case{2, 3, 37, 2, 2}, Case{1, 37, 3, 1, 6},
                                         Case{3, 37, 64, 5, 7}, Case{2, 64, 130, 9, 4, false},
                                         Case{1, 130, 16, 33, 20}, Case{3, 64, 64, 30, 31},
                                         Case{1, 32, 48, 63, 64, false}, Case{1, 33, 20, 96, 90},
                                         Case{2, 20, 330, 66, 70}));

TEST(WinogradInput, MayBeAnyView) {
    const auto tensors = make_tensors({2, 5, 7, 12, 10});
    auto views = tensors;
    views.x = tensors.x.permute({0, 1, 3, 2}).contiguous().permute({0, 1, 3, 2});
    views.gradient = at::stack({tensors.gradient, tensors.gradient}, 4).select(4, 1);
    views.weight = tensors.weight.transpose(0, 1).contiguous().transpose(0, 1);
    const auto results = found(views), references = found(tensors);
    for (size_t i = 0; i < results.size(); ++i) EXPECT_TRUE(results[i].equal(references[i])) << i;
}

TEST(WinogradInput, MayBeAnEmptyBatch) {
    const auto results = found(make_tensors({0, 4, 5, 6, 6}));
    EXPECT_EQ(results[0].sizes(), at::IntArrayRef({0, 5, 6, 6}));
    EXPECT_EQ(results[1].sizes(), at::IntArrayRef({0, 4, 6, 6}));
    EXPECT_TRUE(results[2].equal(torch::zeros({5, 4, 3, 3})));
    EXPECT_TRUE(results[3].equal(torch::zeros({5})));
}

TEST(WinogradBackward, LeavesUndefinedWhatIsNotWanted) {
    const auto t = make_tensors({1, 4, 5, 6, 6});
    for (int wanted = 0; wanted < 8; ++wanted) {
        const std::array<bool, 3> mask = {(wanted & 1) != 0, (wanted & 2) != 0, (wanted & 4) != 0};
        const auto gradients = winograd_backward(t.gradient, t.x, t.weight, 1, mask);
        for (size_t i = 0; i < 3; ++i) EXPECT_EQ(gradients[i].defined(), mask[i]) << wanted << ' ' << i;
    }
}

TEST(WinogradForward, RecordsNoGraph) {
    auto t = make_tensors({1, 4, 5, 6, 6});
    t.weight.requires_grad_(true);
    EXPECT_FALSE(winograd_forward(t.x, t.weight, t.bias, 1).requires_grad());
}

}  // namespace
}  // namespace mtlprune::conv_winograd_test
