#include "training/fused_adam.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "training/optimizer.h"

namespace mtlprune::fused_adam_test {
namespace {

constexpr double kRate = 0.01, kDecay = 0.1;
const std::vector<std::string> kNames = {"convolution", "rest", "strided", "frozen"};

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

/// Float32, of several pieces with a rest, and in several layouts; the last never gets a gradient.
std::vector<torch::Tensor> parameters() {
    std::vector<torch::Tensor> all = {noise({96, 20, 3, 3}, 1).contiguous(torch::MemoryFormat::ChannelsLast),
                                      noise({50001}, 2), noise({7, 5}, 3).t(), noise({2}, 4)};
    for (auto& parameter : all) parameter.requires_grad_();
    return all;
}

/// Gradients in a layout of their own: that of the first differs from its parameter's.
void set_gradients(const std::vector<torch::Tensor>& all, uint64_t key) {
    for (size_t i = 0; i + 1 < all.size(); ++i) all[i].mutable_grad() = noise(all[i].sizes(), 10 * key + i);
}

void step(torch::optim::Optimizer& optimizer, const std::vector<torch::Tensor>& all, uint64_t key) {
    set_gradients(all, key);
    optimizer.step();
}

struct Pair {
    std::unique_ptr<torch::optim::Optimizer> fused, library;
};

Pair make_pair(bool decoupled, const std::vector<torch::Tensor>& ours,
               const std::vector<torch::Tensor>& theirs) {
    if (!decoupled) {
        const auto options = torch::optim::AdamOptions(kRate).betas({0.5, 0.999}).weight_decay(kDecay);
        return {fused_adam(ours, options), std::make_unique<torch::optim::Adam>(theirs, options)};
    }
    const auto options = torch::optim::AdamWOptions(kRate).weight_decay(kDecay);
    return {fused_adamw(ours, options), std::make_unique<torch::optim::AdamW>(theirs, options)};
}

class Fused : public testing::TestWithParam<bool> {};

TEST_P(Fused, StepsEqualLibTorchs) {
    const auto ours = parameters(), theirs = parameters();
    const auto [fused, library] = make_pair(GetParam(), ours, theirs);
    for (uint64_t k = 0; k < 4; ++k) {
        step(*fused, ours, k);
        step(*library, theirs, k);
    }
    for (size_t i = 0; i < ours.size(); ++i)
        EXPECT_TRUE(ours[i].allclose(theirs[i], 1e-6, 1e-6)) << kNames[i];
    EXPECT_FALSE(ours[1].equal(parameters()[1]));
    EXPECT_TRUE(ours[3].equal(parameters()[3]));
    const auto moments = optimizer_state(*fused, kNames), expected = optimizer_state(*library, kNames);
    ASSERT_EQ(moments.size(), expected.size());
    for (const auto& [name, moment] : expected)
        EXPECT_TRUE(moments.at(name).allclose(moment, 1e-6, 1e-6)) << name;
}

TEST_P(Fused, StepsRepeatBitwiseForAnyNumberOfThreads) {
    const int threads = at::get_num_threads();
    std::vector<std::vector<torch::Tensor>> results;
    for (const int count : {1, 2, 3}) {
        at::set_num_threads(count);
        results.push_back(parameters());
        const auto optimizer = make_pair(GetParam(), results.back(), parameters()).fused;
        for (uint64_t k = 0; k < 2; ++k) step(*optimizer, results.back(), k);
    }
    at::set_num_threads(threads);
    for (size_t i = 0; i < kNames.size(); ++i) {
        EXPECT_TRUE(results[1][i].equal(results[0][i])) << kNames[i];
        EXPECT_TRUE(results[2][i].equal(results[0][i])) << kNames[i];
    }
}

TEST_P(Fused, StateContinuesExactly) {
    const auto all = parameters(), copies = parameters();
    const auto optimizer = make_pair(GetParam(), all, copies).fused;
    for (uint64_t k = 0; k < 2; ++k) step(*optimizer, all, k);
    const auto resumed = make_pair(GetParam(), copies, copies).fused;
    step(*resumed, copies, 99);  // must be forgotten
    load_optimizer_state(*resumed, kNames, optimizer_state(*optimizer, kNames));
    for (size_t i = 0; i < all.size(); ++i) copies[i].data().copy_(all[i].detach());
    step(*optimizer, all, 5);
    step(*resumed, copies, 5);
    for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(copies[i].equal(all[i])) << kNames[i];
}

TEST_P(Fused, StepTakesAClosure) {
    auto all = parameters(), copies = parameters();
    const auto optimizer = make_pair(GetParam(), all, copies).fused;
    const auto loss = optimizer->step([&] {
        const auto sum = all[1].square().sum();
        sum.backward();
        return sum;
    });
    const auto before = copies[1].square().sum();
    EXPECT_EQ(loss.item<float>(), before.item<float>());
    EXPECT_FALSE(all[1].equal(copies[1]));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Fused, testing::Bool(), [](const testing::TestParamInfo<bool>& decoupled) {
    return decoupled.param ? "AdamW" : "Adam";
});

}  // namespace
}  // namespace mtlprune::fused_adam_test
