// Accumulation, clipping and precision within the training loop, and how they are configured.
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#include "base/error.h"
#include "models/layers/autocast.h"
#include "models/placement.h"
#include "tests/training/tiny_training.h"
#include "training/gradient_norm.h"

namespace mtlprune::update_test {
namespace {

TrainerOptions with_update(const UpdateOptions& update) {
    TrainerOptions options;
    options.optimizer = {.kind = OptimizerKind::sgd, .lr = 0.1, .weight_decay = 0.0, .momentum = 0.0};
    options.update = update;
    return options;
}

std::vector<torch::Tensor> gradients_of(const PaperModel& model) {
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : model->parameters()) gradients.push_back(parameter.grad());
    return gradients;
}

std::string failure(const std::function<void()>& attempt) {
    try {
        attempt();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(Accumulation, GivesTheGradientsOfTheLargeBatch) {
    const auto first = random_batch(1, 8, torch::kDouble), second = random_batch(2, 8, torch::kDouble);
    for (const char* weighting : {"fixed", "fixed:weights=[0.5,2,3]", "uncertainty", "gradnorm", "pcgrad"}) {
        const auto parts = tiny_model(0.0, torch::kDouble), whole = tiny_model(0.0, torch::kDouble);
        const auto options = with_update({.task_weighting = weighting});
        const auto losses = Trainer(parts, options).take_gradients({first, second});
        const auto expected = Trainer(whole, options).take_gradients(joined(first, second));
        EXPECT_TRUE(torch::allclose(losses, expected, 1e-12, 1e-14)) << weighting;
        for (size_t i = 0; i < parts->parameters().size(); ++i)
            EXPECT_TRUE(
                torch::allclose(parts->parameters()[i].grad(), whole->parameters()[i].grad(), 1e-10, 1e-13))
                << weighting << ' ' << i;
    }
}

TEST(Accumulation, AnIterationTakesSeveralMiniBatchesAndMakesOneStep) {
    auto options = with_update({.accumulate = 3});
    options.iterations = 4;
    int64_t taken = 0;
    Trainer trainer(tiny_model(), options);
    trainer.run([&] { return random_batch(static_cast<uint64_t>(taken++), 8); });
    EXPECT_EQ(trainer.iteration(), 4);
    EXPECT_EQ(taken, 12);
    const auto by_hand = tiny_model();
    Trainer other(by_hand, options);
    for (uint64_t i = 0; i < 4; ++i)
        other.step({random_batch(3 * i, 8), random_batch(3 * i + 1, 8), random_batch(3 * i + 2, 8)});
    for (const auto& [name, tensor] : module_state(trainer.model()))
        EXPECT_TRUE(tensor.equal(module_state(*by_hand).at(name))) << name;
}

TEST(Accumulation, TakesAtLeastOneMiniBatch) {
    const auto text = failure([] { Trainer(tiny_model(), with_update({})).step(std::vector<Batch>()); });
    EXPECT_NE(text.find("mini-batch"), std::string::npos) << text;
}

TEST(Accumulation, MiniBatchesOfAnIterationHaveTheirOwnDropoutMasks) {
    const auto options = with_update({});
    const auto losses_of = [&](const std::vector<Batch>& batches) {
        return Trainer(tiny_model(0.4), options).take_gradients(batches);
    };
    const auto once = losses_of({random_batch(1, 8)});
    EXPECT_TRUE(once.equal(losses_of({random_batch(1, 8)})));
    EXPECT_FALSE(once.equal(losses_of({random_batch(1, 8), random_batch(1, 8)})));
}

TEST(Clipping, LimitsTheStep) {
    const auto model = tiny_model();
    const auto before = copied(module_state(*model));
    Trainer trainer(model, with_update({.clip_norm = 0.01}));
    trainer.step(random_batch(1, 8));
    double squares = 0.0;
    for (const auto& [name, tensor] : module_state(*model))
        squares += (tensor - before.at(name)).to(torch::kDouble).square().sum().item<double>();
    EXPECT_NEAR(std::sqrt(squares), 0.1 * 0.01, 1e-7);  // rate x limit
}

TEST(MixedPrecision, Bfloat16GradientsAreThoseOfFloat32ToItsRounding) {
    const auto plain = tiny_model(0.3), mixed = tiny_model(0.3);
    const auto batch = random_batch(1, 16);
    const auto expected = Trainer(plain, with_update({})).take_gradients(batch);
    const auto found = Trainer(mixed, with_update({.precision = Precision::bfloat16})).take_gradients(batch);
    EXPECT_EQ(found.scalar_type(), torch::kFloat);
    EXPECT_TRUE(torch::allclose(found, expected, 0.02, 0.0));
    EXPECT_FALSE(found.equal(expected));
    const auto a = gradients_of(plain), b = gradients_of(mixed);
    std::vector<torch::Tensor> differences;
    for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(b[i].scalar_type(), torch::kFloat);
        differences.push_back(a[i] - b[i]);
    }
    // bfloat16 has 8 bits; a gradient passes through about ten layers.
    EXPECT_LT(global_norm(differences).item<double>(), 0.05 * global_norm(a).item<double>());
}

TEST(MixedPrecision, ItsCastsEndWithTheForwardPass) {
    Trainer(tiny_model(), with_update({.precision = Precision::bfloat16})).step(random_batch(1, 8));
    EXPECT_FALSE(autocasting(torch::zeros(1)));
    EXPECT_EQ(torch::mm(torch::ones({2, 2}), torch::ones({2, 2})).scalar_type(), torch::kFloat);
    const Autocast outer(torch::kCPU, torch::kBFloat16);
    { const Autocast inner(torch::kCPU, torch::kBFloat16); }
    EXPECT_TRUE(autocasting(torch::zeros(1)));
}

TEST(MixedPrecision, TrainsOnFreshWeights) {
    const auto mixed = tiny_model();
    Trainer trainer(mixed, with_update({.precision = Precision::bfloat16}));
    const auto batch = random_batch(1, 8);
    const double first = trainer.step(batch).sum().item<double>();
    double last = first;
    for (int i = 0; i < 20; ++i) last = trainer.step(batch).sum().item<double>();
    EXPECT_LT(last, 0.95 * first);
}

TEST(MixedPrecision, Float16OnACpuIsAnErrorThatNamesTheKey) {
    const auto text = failure([] { Trainer(tiny_model(), with_update({.precision = Precision::float16})); });
    EXPECT_NE(text.find("precision"), std::string::npos) << text;
    EXPECT_NE(text.find("float16"), std::string::npos) << text;
}

/// Powers of two change no bit of what does not underflow.
TEST(LossScaling, IsTakenOutOfTheGradients) {
    const auto model = tiny_model();
    const auto batch = random_batch(1, 8);
    TaskGradients plain(*model, batch), scaled(*model, batch, GradientOptions{.loss_scale = 1024.0});
    EXPECT_TRUE(plain.losses().equal(scaled.losses()));
    for (size_t t = 0; t < 3; ++t) {
        const auto a = plain.shared(t), b = scaled.shared(t);
        for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].equal(b[i])) << i;
        for (size_t i = 0; i < plain.own(t).size(); ++i)
            EXPECT_TRUE(plain.own(t)[i].equal(scaled.own(t)[i])) << i;
    }
}

TEST(LossScaling, HalvesAtOnceAndDoublesAfter2000) {
    LossScale scale(Precision::float16);
    EXPECT_EQ(scale.value(), 65536.0);
    scale.update(false, 0);
    EXPECT_EQ(scale.value(), 32768.0);
    for (int64_t i = 0; i < 1999; ++i) scale.update(true, i);
    EXPECT_EQ(scale.value(), 32768.0);
    LossScale resumed(Precision::float16);
    resumed.load_state(copied(scale.state()));
    for (auto* each : {&scale, &resumed}) {
        each->update(true, 2000);
        EXPECT_EQ(each->value(), 65536.0);
    }
    for (int i = 0; i < 16; ++i) scale.update(false, i);
    EXPECT_EQ(scale.value(), 1.0);
    EXPECT_NE(failure([&] { scale.update(false, 17); }).find("iteration 17"), std::string::npos);
    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
        LossScale none(precision);
        none.update(false, 0);
        EXPECT_EQ(none.value(), 1.0);
        EXPECT_TRUE(none.state().empty());
    }
}

TEST(LossScaling, OnAGpuFloat16SkipsOverflowsAndTrains) {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "no CUDA device";
    const auto model = tiny_model();
    place(*model, torch::kCUDA);
    Trainer trainer(model, with_update({.precision = Precision::float16}));
    auto batch = random_batch(1, 8).to(torch::kCUDA);
    const double first = trainer.step(batch).sum().item<double>();
    double last = first;
    for (int i = 0; i < 40; ++i) last = trainer.step(batch).sum().item<double>();
    EXPECT_LT(last, 0.95 * first);
    batch.image.fill_(1e6);  // beyond float16
    const auto before = copied(module_state(*model));
    const double scale = trainer.loss_scale().value();
    trainer.step(batch);
    EXPECT_EQ(trainer.loss_scale().value(), scale / 2.0);
    for (const auto& [name, tensor] : module_state(*model)) EXPECT_TRUE(tensor.equal(before.at(name)));
}

JsonReader keys(const char* text) {
    return {parse_json(text, "test.json"), "test.json"};
}

TEST(UpdateOptions, ReadsKeysAndKeepsOldDescriptionsAsTheyWere) {
    auto none = keys("{}");
    EXPECT_EQ(read_update_options(none), UpdateOptions());
    EXPECT_EQ(none.resolved(), nlohmann::json::object());
    auto defaults = keys(R"({"accumulate": 1, "clip_norm": 0, "precision": "float32",
                             "task_weighting": "fixed", "flush_denormals": false})");
    EXPECT_EQ(read_update_options(defaults), UpdateOptions());
    defaults.finish();
    EXPECT_EQ(defaults.resolved(), nlohmann::json::object());
    const char* all = R"({"accumulate": 4, "clip_norm": 0.5, "precision": "bfloat16",
                          "task_weighting": "dwa:temperature=3", "flush_denormals": true})";
    auto given = keys(all);
    const auto options = read_update_options(given);
    EXPECT_EQ(options.accumulate, 4);
    EXPECT_EQ(options.clip_norm, 0.5);
    EXPECT_EQ(options.precision, Precision::bfloat16);
    EXPECT_EQ(options.task_weighting, "dwa:temperature=3");
    EXPECT_TRUE(options.flush_denormals);
    EXPECT_EQ(given.resolved(), parse_json(all, "expected"));
}

TEST(UpdateOptions, NamesWhatIsWrong) {
    const auto attempt = [](const char* text) {
        return failure([&] {
            auto reader = keys(text);
            read_update_options(reader);
            reader.finish();
        });
    };
    EXPECT_NE(attempt(R"({"accumulate": 0})").find("accumulate"), std::string::npos);
    EXPECT_NE(attempt(R"({"clip_norm": -1})").find("clip_norm"), std::string::npos);
    EXPECT_NE(attempt(R"({"precision": "float8"})").find("precision"), std::string::npos);
    EXPECT_NE(attempt(R"({"task_weighting": "gradnrm"})").find("did you mean 'gradnorm'"), std::string::npos);
    EXPECT_NE(attempt(R"({"task_weighting": "gradnrm"})").find("test.json: task_weighting"),
              std::string::npos);
    EXPECT_NE(attempt(R"({"task_weighting": "dwa:temprature=3"})").find("temperature"), std::string::npos);
    EXPECT_NE(attempt(R"({"clip_nrm": 1})").find("did you mean 'clip_norm'"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::update_test
