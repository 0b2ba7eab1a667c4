#include "models/multi_task_model.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "tests/paper_network.h"

namespace mtlprune::multi_task_model_test {
namespace {

PaperNetwork small_config() {
    PaperNetwork config;
    config.channels = {4, 5, 6};
    config.poolings = {1, 3};
    config.hidden = 7;
    config.tasks = nyuv2_tasks(9);
    return config;
}

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

PaperModel small_model(uint64_t seed) {
    auto model = build(small_config());
    model->initialise(seed);
    model->eval();
    return model;
}

std::vector<torch::Tensor> values(PaperModel& model) {
    std::vector<torch::Tensor> copies;
    for (const auto& parameter : model->parameters()) copies.push_back(parameter.detach().clone());
    return copies;
}

bool equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (!a[i].equal(b[i])) return false;
    return true;
}

TEST(MultiTaskModel, PredictsOneMapPerTaskAtThePooledSize) {
    auto model = small_model(1);
    torch::NoGradGuard no_grad;
    const auto predictions = model->forward(noise({2, 3, 23, 37}, 1));
    ASSERT_EQ(predictions.size(), 3U);
    EXPECT_EQ(predictions[0].sizes().vec(), (std::vector<int64_t>{2, 9, 5, 9}));
    EXPECT_EQ(predictions[1].sizes().vec(), (std::vector<int64_t>{2, 3, 5, 9}));
    EXPECT_EQ(predictions[2].sizes().vec(), (std::vector<int64_t>{2, 1, 5, 9}));
}

TEST(MultiTaskModel, NamesWhatIsSharedAndWhatIsATasksOwn) {
    const auto model = small_model(1);
    std::vector<std::string> shared;
    for (const auto& [name, parameter] : model->shared_parameters()) shared.push_back(name);
    EXPECT_EQ(shared, (std::vector<std::string>{"backbone.conv1.weight", "backbone.conv1.bias",
                                                "backbone.conv2.weight", "backbone.conv2.bias",
                                                "backbone.conv3.weight", "backbone.conv3.bias"}));
    size_t own = 0;
    for (size_t t = 0; t < 3; ++t) {
        for (const auto& [name, parameter] : model->parameters_of(t))
            EXPECT_EQ(name.rfind("heads." + model->tasks()[t].name + ".rate", 0), 0U) << name;
        own += model->parameters_of(t).size();
    }
    EXPECT_EQ(shared.size() + own, model->parameters().size());
}

TEST(MultiTaskModel, EqualsItsPartsComputedOneByOne) {
    auto model = small_model(3);
    torch::NoGradGuard no_grad;
    const auto image = noise({1, 3, 20, 20}, 2);
    auto x = image;
    for (size_t l = 0; l < 3; ++l) {
        const auto& layer = vgg(*model).convolutions[l];
        x = torch::conv2d(x, layer->weight, layer->bias, 1, 1).clamp_min(0);
        if (l != 1) x = torch::max_pool2d(x, 2);
    }
    EXPECT_TRUE(torch::allclose(model->features(image).back(), x, 1e-5, 1e-6));
    torch::Tensor sum = torch::zeros({1, 3, 5, 5});
    const std::vector<int64_t> rates = {1, 2, 4, 6};
    for (size_t b = 0; b < rates.size(); ++b) {
        const auto& branch = aspp(*model, 1).branches[b];
        auto h =
            torch::conv2d(x, branch->conv1->weight, branch->conv1->bias, 1, rates[b], rates[b]).clamp_min(0);
        h = torch::conv2d(h, branch->conv2->weight, branch->conv2->bias).clamp_min(0);
        sum += torch::conv2d(h, branch->conv3->weight, branch->conv3->bias);
    }
    EXPECT_TRUE(torch::allclose(model->forward(image)[1], sum, 1e-5, 1e-6));
}

TEST(MultiTaskModel, InitialisationDependsOnTheSeedAlone) {
    auto a = small_model(5);
    const auto first = values(a);
    auto b = small_model(5);
    EXPECT_TRUE(equal(values(b), first));
    b->initialise(6);
    EXPECT_FALSE(equal(values(b), first));
    b->initialise(5);
    EXPECT_TRUE(equal(values(b), first));
}

TEST(MultiTaskModel, InitialisationFollowsTheStatedDistributions) {
    PaperNetwork config = small_config();
    config.channels = {32, 64};
    config.poolings = {};
    config.hidden = 48;
    auto model = build(config);
    model->initialise(11);
    const auto& backbone = vgg(*model).convolutions[1];
    const double expected = std::sqrt(2.0 / (64.0 * 9.0));
    EXPECT_NEAR(backbone->weight.std().item<double>() / expected, 1.0, 0.03);
    EXPECT_EQ(backbone->bias.abs().max().item<double>(), 0.0);
    for (const auto& layer : {aspp(*model, 0).branches[2]->conv1, aspp(*model, 0).branches[2]->conv2}) {
        const double bound = 1.0 / std::sqrt(static_cast<double>(layer->weight[0].numel()));
        EXPECT_LE(layer->weight.abs().max().item<double>(), bound);
        EXPECT_NEAR(layer->weight.std().item<double>() / (bound / std::sqrt(3.0)), 1.0, 0.05);
        EXPECT_LE(layer->bias.abs().max().item<double>(), bound);
        EXPECT_GT(layer->bias.abs().max().item<double>(), 0.5 * bound);
    }
}

TEST(MultiTaskModel, DropoutActsInTrainingOnlyAndFollowsItsKey) {
    auto model = small_model(5);
    torch::NoGradGuard no_grad;
    const auto image = noise({2, 3, 16, 16}, 4);
    const auto plain = model->forward(image);
    EXPECT_TRUE(equal(model->forward(image), plain));
    model->train();
    model->set_dropout_key(1);
    const auto first = model->forward(image);
    EXPECT_FALSE(equal(first, plain));
    EXPECT_TRUE(equal(model->forward(image), first));
    model->set_dropout_key(2);
    EXPECT_FALSE(equal(model->forward(image), first));
    const int threads = at::get_num_threads();
    model->set_dropout_key(1);
    at::set_num_threads(1);
    const auto single = model->forward(image);
    at::set_num_threads(2);
    const auto twice = model->forward(image);
    at::set_num_threads(threads);
    for (size_t t = 0; t < first.size(); ++t) EXPECT_TRUE(torch::allclose(single[t], twice[t], 1e-5, 1e-6));
}

TEST(MultiTaskModel, GateGradientFollowsFromWeightsAndTheirGradients) {
    auto model = small_model(8);
    model->to(torch::kFloat64);
    std::vector<torch::Tensor> gates;
    for (const int64_t width : widths(*model))
        gates.push_back(torch::ones({width}, torch::dtype(torch::kFloat64).requires_grad(true)));
    for (auto& layer : vgg(*model).convolutions)
        layer->bias.data().copy_(0.1 * noise(layer->bias.sizes(), 9).to(torch::kFloat64));
    model->set_gates(gates);
    const auto features = model->features(noise({2, 3, 16, 16}, 5).to(torch::kFloat64));
    auto loss = torch::zeros({}, torch::kFloat64);
    for (size_t t = 0; t < model->tasks().size(); ++t)
        loss = loss + model->predict(t, features).pow(2).mean();
    loss.backward();
    for (size_t l = 0; l < gates.size(); ++l) {
        const auto& layer = vgg(*model).convolutions[l];
        const auto from_parameters =
            (layer->weight * layer->weight.grad()).sum({1, 2, 3}) + layer->bias * layer->bias.grad();
        EXPECT_GT(gates[l].grad().abs().max().item<double>(), 0.0);
        EXPECT_TRUE(torch::allclose(from_parameters, gates[l].grad(), 1e-10, 1e-14)) << "layer " << l;
    }
}

TEST(MultiTaskModel, AZeroGateEqualsAChannelWithoutWeights) {
    auto model = small_model(8);
    torch::NoGradGuard no_grad;
    const auto image = noise({1, 3, 16, 16}, 6);
    std::vector<torch::Tensor> gates;
    for (const int64_t width : widths(*model)) gates.push_back(torch::ones({width}));
    gates[1][2] = 0;
    model->set_gates(gates);
    const auto gated = model->features(image).back();
    model->set_gates({});
    EXPECT_FALSE(gated.equal(model->features(image).back()));
    vgg(*model).convolutions[1]->weight[2].zero_();
    vgg(*model).convolutions[1]->bias[2].zero_();
    EXPECT_TRUE(torch::allclose(model->features(image).back(), gated, 1e-6, 1e-6));
}

TEST(MultiTaskModel, RejectsImpossibleConfigurations) {
    const auto with = [](auto change) {
        auto config = small_config();
        change(config);
        return config;
    };
    EXPECT_THROW(build(with([](auto& c) { c.channels = {}; })), Error);
    EXPECT_THROW(build(with([](auto& c) { c.channels[1] = 0; })), Error);
    EXPECT_THROW(build(with([](auto& c) { c.poolings = {4}; })), Error);
    EXPECT_THROW(build(with([](auto& c) { c.hidden = 0; })), Error);
    EXPECT_THROW(build(with([](auto& c) { c.tasks.clear(); })), Error);
    EXPECT_THROW(build(with([](auto& c) { c.tasks[1].name = c.tasks[0].name; })), Error);
    EXPECT_THROW(build(with([](auto& c) { c.dropout = 1.0; })), Error);
    EXPECT_THROW(small_model(1)->set_gates({torch::ones({4})}), Error);
}

}  // namespace
}  // namespace mtlprune::multi_task_model_test
