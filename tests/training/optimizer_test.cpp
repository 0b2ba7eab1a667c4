#include "training/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"

namespace mtlprune::optimizer_test {
namespace {

const std::vector<OptimizerKind> kKinds = {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd};
const std::vector<std::string> kNames = {"a", "b.weight", "frozen"};

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape, torch::kFloat64).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

/// Three parameters of which the last never gets a gradient.
std::vector<torch::Tensor> parameters() {
    std::vector<torch::Tensor> all = {noise({4, 3}, 1), noise({5}, 2), noise({2}, 3)};
    for (auto& parameter : all) parameter.requires_grad_();
    return all;
}

void step(torch::optim::Optimizer& optimizer, std::vector<torch::Tensor>& all, uint64_t key) {
    for (size_t i = 0; i < 2; ++i) all[i].mutable_grad() = noise(all[i].sizes(), key * 10 + i);
    optimizer.step();
}

OptimizerConfig with_kind(OptimizerKind kind) {
    return default_optimizer(kind);
}

JsonReader reader(const char* text) {
    return {parse_json(text, "test.json"), "test.json"};
}

std::string message(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Two steps of the textbook formulas (Kingma & Ba 2015; Loshchilov & Hutter 2019; SGD with momentum) on one
/// number.
double textbook(const OptimizerConfig& config, double x, const std::vector<double>& gradients) {
    double m = 0.0, v = 0.0;
    for (size_t t = 1; t <= gradients.size(); ++t) {
        double g = gradients[t - 1];
        if (config.kind == OptimizerKind::adamw)
            x -= config.lr * config.weight_decay * x;
        else
            g += config.weight_decay * x;
        if (config.kind == OptimizerKind::sgd) {
            m = config.momentum * m + g;
            x -= config.lr * m;
            continue;
        }
        m = config.beta1 * m + (1 - config.beta1) * g;
        v = config.beta2 * v + (1 - config.beta2) * g * g;
        const auto power = static_cast<double>(t);
        x -= config.lr * (m / (1 - std::pow(config.beta1, power))) /
             (std::sqrt(v / (1 - std::pow(config.beta2, power))) + config.eps);
    }
    return x;
}

TEST(Optimizer, FollowsTheTextbook) {
    const std::vector<double> gradients = {0.3, -1.7, 0.02};
    for (const auto kind : kKinds) {
        auto config = with_kind(kind);
        config.lr = 0.05;
        config.weight_decay = 0.1;
        auto x = torch::full({1}, 2.0, torch::dtype(torch::kFloat64).requires_grad(true));
        const auto optimizer = make_optimizer({x}, config);
        for (const double gradient : gradients) {
            x.mutable_grad() = torch::full({1}, gradient, torch::kFloat64);
            optimizer->step();
        }
        EXPECT_NEAR(x.item<double>(), textbook(config, 2.0, gradients), 1e-12);
    }
}

TEST(Optimizer, ResumesExactly) {
    for (const auto kind : kKinds) {
        auto all = parameters();
        const auto optimizer = make_optimizer(all, with_kind(kind));
        for (uint64_t k = 0; k < 3; ++k) step(*optimizer, all, k);
        TensorMap saved;
        for (const auto& [name, tensor] : optimizer_state(*optimizer, kNames)) saved[name] = tensor.clone();
        std::vector<torch::Tensor> saved_parameters;
        for (const auto& parameter : all) saved_parameters.push_back(parameter.detach().clone());

        auto copies = parameters();
        const auto resumed = make_optimizer(copies, with_kind(kind));
        step(*resumed, copies, 99);  // must be forgotten
        load_optimizer_state(*resumed, kNames, saved);
        for (size_t i = 0; i < copies.size(); ++i) copies[i].data().copy_(saved_parameters[i]);
        for (uint64_t k = 3; k < 6; ++k) {
            step(*optimizer, all, k);
            step(*resumed, copies, k);
        }
        for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(copies[i].equal(all[i]));
    }
}

TEST(Optimizer, StateHasTheMomentsByName) {
    auto all = parameters();
    const auto adam = make_optimizer(all, with_kind(OptimizerKind::adam));
    EXPECT_TRUE(optimizer_state(*adam, kNames).empty());
    step(*adam, all, 1);
    step(*adam, all, 2);
    const auto state = optimizer_state(*adam, kNames);
    EXPECT_EQ(state.size(), 6U);
    EXPECT_EQ(state.at("a.step").item<int64_t>(), 2);
    EXPECT_EQ(state.at("b.weight.exp_avg").sizes(), all[1].sizes());
    EXPECT_GE(state.at("a.exp_avg_sq").min().item<double>(), 0.0);
    auto others = parameters();
    const auto sgd = make_optimizer(others, with_kind(OptimizerKind::sgd));
    step(*sgd, others, 1);
    EXPECT_EQ(optimizer_state(*sgd, kNames).count("a.momentum_buffer"), 1U);
}

TEST(Optimizer, RejectsAStateThatDoesNotFitAndKeepsItsOwn) {
    auto all = parameters();
    const auto optimizer = make_optimizer(all, with_kind(OptimizerKind::adamw));
    step(*optimizer, all, 1);
    const auto good = optimizer_state(*optimizer, kNames);
    const auto attempt = [&](const TensorMap& state) {
        return message([&] { load_optimizer_state(*optimizer, kNames, state); });
    };
    auto bad = good;
    bad.erase("a.exp_avg");
    EXPECT_TRUE(contains(attempt(bad), "a.exp_avg: expected a tensor, found nothing"));
    bad = good;
    bad["b.weight.exp_avg_sq"] = torch::zeros({4}, torch::kFloat64);
    EXPECT_TRUE(contains(attempt(bad), "b.weight.exp_avg_sq: expected shape [5], found [4]"));
    bad = good;
    bad["c.step"] = torch::tensor(1);
    EXPECT_TRUE(contains(attempt(bad), "c.step"));
    EXPECT_EQ(optimizer_state(*optimizer, kNames).at("a.step").item<int64_t>(), 1);
    EXPECT_THROW(optimizer_state(*optimizer, {"a"}), Error);
}

/// Shrinking a parameter with its moments and stepping on equals stepping first and shrinking then.
TEST(Optimizer, SlicedStateContinuesAsIfTheRestHadNeverBeen) {
    const auto kept = torch::tensor({0, 2, 3});
    for (const auto kind : kKinds) {
        auto config = with_kind(kind);
        auto whole = noise({4, 3}, 1).requires_grad_();
        auto sliced = noise({4, 3}, 1).requires_grad_();
        const auto reference = make_optimizer({whole}, config);
        const auto optimizer = make_optimizer({sliced}, config);
        for (int k = 0; k < 4; ++k) {
            const auto gradient = noise({4, 3}, 20 + k);
            if (k == 2) {
                sliced.set_data(sliced.detach().index_select(0, kept));
                slice_optimizer_state(*optimizer, sliced, 0, kept);
            }
            whole.mutable_grad() = gradient;
            sliced.mutable_grad() = k < 2 ? gradient.clone() : gradient.index_select(0, kept);
            reference->step();
            optimizer->step();
        }
        EXPECT_TRUE(sliced.equal(whole.index_select(0, kept)));
    }
}

TEST(Optimizer, SlicingAParameterWithoutStateDoesNothing) {
    auto all = parameters();
    const auto optimizer = make_optimizer(all, with_kind(OptimizerKind::adam));
    slice_optimizer_state(*optimizer, all[0], 0, torch::tensor({0}));
    EXPECT_TRUE(optimizer_state(*optimizer, kNames).empty());
}

/// A row whose moments and gradients are zero from some step on keeps its value.
TEST(Optimizer, ARowOfZeroMomentsAndGradientsStays) {
    for (const auto kind : {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd}) {
        auto config = with_kind(kind);
        config.weight_decay = 0.0;
        auto weight = noise({4, 3}, 5).requires_grad_(true);
        const auto optimizer = make_optimizer({weight}, config);
        for (uint64_t k = 0; k < 4; ++k) {
            auto gradient = noise({4, 3}, 20 + k);
            if (k == 2) zero_optimizer_state(*optimizer, weight, 0, torch::tensor({1}));
            if (k >= 2) gradient[1] = 0.0;
            const auto before = weight.detach().clone();
            weight.mutable_grad() = gradient;
            optimizer->step();
            EXPECT_EQ(weight.detach()[1].equal(before[1]), k >= 2) << "step " << k;
            EXPECT_FALSE(weight.detach()[0].equal(before[0]));
        }
    }
}

TEST(Optimizer, LearningRateReachesAllGroups) {
    auto x = torch::full({1}, 2.0, torch::dtype(torch::kFloat64).requires_grad(true));
    OptimizerConfig config = with_kind(OptimizerKind::sgd);
    config.momentum = 0.0;
    const auto optimizer = make_optimizer({x}, config);
    set_learning_rate(*optimizer, 0.5);
    x.mutable_grad() = torch::ones({1}, torch::kFloat64);
    optimizer->step();
    EXPECT_EQ(x.item<double>(), 1.5);
}

TEST(OptimizerConfig, ReadsKeysAndDefaults) {
    EXPECT_EQ(read_optimizer(reader("{}")), default_optimizer(OptimizerKind::adam));
    const auto sgd =
        read_optimizer(reader(R"({"kind": "sgd", "lr": 0.2, "weight_decay": 0.5, "momentum": 0})"));
    EXPECT_EQ(sgd.kind, OptimizerKind::sgd);
    EXPECT_EQ(sgd.lr, 0.2);
    EXPECT_EQ(sgd.weight_decay, 0.5);
    EXPECT_EQ(sgd.momentum, 0.0);
    const auto adamw =
        read_optimizer(reader(R"({"kind": "adamw", "beta1": 0.7, "beta2": 0.99, "eps": 1e-6})"));
    EXPECT_EQ(adamw.beta1, 0.7);
    EXPECT_EQ(adamw.beta2, 0.99);
    EXPECT_EQ(adamw.eps, 1e-6);
    EXPECT_EQ(adamw.weight_decay, default_optimizer(OptimizerKind::adamw).weight_decay);
}

TEST(OptimizerConfig, RejectsWrongValuesAndUnknownKeys) {
    const auto attempt = [](const char* text) { return message([&] { read_optimizer(reader(text)); }); };
    EXPECT_TRUE(contains(attempt(R"({"kind": "adamm"})"), "did you mean 'adam"));
    EXPECT_TRUE(contains(attempt(R"({"lr": -1})"), "lr"));
    EXPECT_TRUE(contains(attempt(R"({"beta1": 1.0})"), "beta1"));
    EXPECT_TRUE(contains(attempt(R"({"weight_decai": 1.0})"), "did you mean 'weight_decay'"));
    EXPECT_TRUE(contains(attempt(R"({"kind": "adam", "momentum": 0.9})"), "momentum"));
}

}  // namespace
}  // namespace mtlprune::optimizer_test
