// Weights of files into networks.
#include "models/weights/load_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "models/model_spec.h"
#include "tests/bad_input.h"
#include "tests/tiny_models.h"

namespace mtlprune::load_weights_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kSpec = "vgg16:width=0.0625,pools=2/smallaspp:hidden=6";

std::shared_ptr<MultiTaskModel> drawn(uint64_t seed, const std::string& spec = kSpec) {
    const auto model = make_model(spec, nyuv2_tasks(5));
    model->initialise(seed);
    return model;
}

TensorMap state_of(const torch::nn::Module& module) {
    TensorMap state;
    for (const auto& item : module.named_parameters()) state[item.key()] = item.value().detach().clone();
    for (const auto& item : module.named_buffers()) state[item.key()] = item.value().clone();
    return state;
}

TensorMap released(const Backbone& backbone) {
    TensorMap state;
    for (const auto& [name, tensor] : state_of(backbone)) state[backbone.released_name(name)] = tensor;
    state.erase("");
    return state;
}

size_t equal_tensors(const torch::nn::Module& a, const torch::nn::Module& b) {
    const auto left = state_of(a), right = state_of(b);
    size_t equal = 0;
    for (const auto& [name, tensor] : left) equal += tensor.equal(right.at(name)) ? 1 : 0;
    return equal;
}

TEST(LoadWeights, OwnNamesFillTheWholeNetwork) {
    const auto source = drawn(1), target = drawn(2);
    auto weights = state_of(*source);
    const auto report = load_weights(*target, weights, "file.pt");
    EXPECT_TRUE(report.is_complete());
    EXPECT_EQ(report.loaded.size(), weights.size());
    EXPECT_EQ(equal_tensors(*source, *target), weights.size());
}

TEST(LoadWeights, PrefixesOfCheckpointsAreTakenOff) {
    const auto source = drawn(1), target = drawn(2);
    TensorMap weights = {{"sha256", torch::zeros({64}, torch::kByte)}};
    for (const auto& [name, tensor] : state_of(*source)) weights["module.model." + name] = tensor;
    EXPECT_TRUE(load_weights(*target, weights, "file.pt").is_complete());
    EXPECT_EQ(equal_tensors(*source, *target), weights.size() - 1);
}

class EveryBackboneLoaded : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Backbones, EveryBackboneLoaded, testing::ValuesIn(backbones().keys()));

/// Classifiers of released files are left out, heads stay as they were.
TEST_P(EveryBackboneLoaded, TakesItsReleasedNames) {
    const auto spec = tiny(backbones().at(GetParam())) + "/" + tiny(heads().entries().front());
    const auto source = drawn(1, spec), target = drawn(2, spec);
    auto weights = released(source->backbone());
    const size_t count = weights.size();
    weights["classifier.weight"] = torch::ones({10, 3});
    const auto report = load_weights(*target, weights, "file.pt");
    EXPECT_THAT(report.left_out, ElementsAre("classifier.weight"));
    EXPECT_EQ(report.loaded.size(), count);
    EXPECT_GE(equal_tensors(source->backbone(), target->backbone()), count);
    EXPECT_TRUE(target->head(0).parameters()[0].equal(drawn(2, spec)->head(0).parameters()[0]));
}

TEST(LoadWeights, WhatDoesNotFitIsNamedAndNothingIsCopied) {
    const auto source = drawn(1), target = drawn(2);
    auto weights = state_of(*source);
    weights.erase("backbone.conv1.bias");
    weights["backbone.conv99.bias"] = torch::ones({3});
    weights["backbone.conv2.bias"] = torch::ones({3});
    const auto message = error_of([&] { load_weights(*target, weights, "file.pt"); });
    EXPECT_THAT(message, HasSubstr("file.pt"));
    EXPECT_THAT(message, HasSubstr("missing: 1 (backbone.conv1.bias)"));
    EXPECT_THAT(message, HasSubstr("unexpected: 1 (backbone.conv99.bias)"));
    EXPECT_THAT(message, HasSubstr("of another shape: 1 (backbone.conv2.bias: [3] instead of [4])"));
    EXPECT_EQ(equal_tensors(*target, *drawn(2)), state_of(*target).size());
    const auto report = load_weights(*target, weights, "file.pt", /*strict=*/false);
    EXPECT_EQ(report.loaded.size(), weights.size() - 2);
    EXPECT_TRUE(target->parameters()[0].equal(source->parameters()[0]));
}

TEST(LoadWeights, AFileOfAnotherNetworkIsRefusedEvenInPart) {
    const auto model = drawn(1);
    EXPECT_THROW(load_weights(*model, {{"other", torch::ones({1})}}, "file.pt", /*strict=*/false), Error);
    EXPECT_THROW(load_weights(*model, {}, "file.pt", /*strict=*/false), Error);
}

}  // namespace
}  // namespace mtlprune::load_weights_test
