// Counting subnormal numbers, and the switch that makes them zero.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "tests/training/tiny_training.h"
#include "training/callbacks/subnormal_counts.h"
#include "training/flush_denormals.h"

namespace mtlprune::subnormals_test {
namespace {

template <typename T>
double slow_share(const std::vector<T>& values) {
    double count = 0;
    for (const T value : values) count += std::fpclassify(value) == FP_SUBNORMAL;
    return count / static_cast<double>(values.size());
}

template <typename T>
std::vector<T> edge_cases() {
    using Limits = std::numeric_limits<T>;
    return {T(0),
            -T(0),
            Limits::min(),
            -Limits::min(),
            Limits::min() / 2,
            -Limits::min() / 4,
            Limits::denorm_min(),
            Limits::max(),
            Limits::infinity(),
            Limits::quiet_NaN(),
            T(1),
            std::nextafter(Limits::min(), T(0))};
}

TEST(SubnormalShare, IsThatOfTheClassification) {
    EXPECT_EQ(subnormal_share(torch::tensor(edge_cases<float>())), slow_share(edge_cases<float>()));
    EXPECT_EQ(subnormal_share(torch::tensor(edge_cases<double>(), torch::kDouble)),
              slow_share(edge_cases<double>()));
    EXPECT_EQ(slow_share(edge_cases<float>()), 4.0 / 12.0);
    EXPECT_EQ(subnormal_share(torch::empty({0})), 0.0);
    EXPECT_THROW(subnormal_share(torch::zeros({2}, torch::kLong)), Error);
    // 2^-15 is below float16's smallest normal number 2^-14, and far from bfloat16's.
    const auto small = torch::tensor({std::ldexp(1.0F, -15), 1.0F});
    EXPECT_EQ(subnormal_share(small.to(torch::kHalf)), 0.5);
    EXPECT_EQ(subnormal_share(small.to(torch::kBFloat16)), 0.0);
}

TEST(SubnormalShare, IsRightWhileTheyAreFlushed) {
    const auto values = torch::tensor(edge_cases<float>());
    const FlushDenormals flush(true);
    EXPECT_EQ(subnormal_share(values), 4.0 / 12.0);
}

TEST(FlushDenormals, HoldsAsLongAsItLives) {
    const auto product = [] {
        return (torch::full({64}, 1e-30F) * torch::full({64}, 1e-10F)).ne(0).any().item<bool>();
    };
    ASSERT_FALSE(flushes_denormals());
    EXPECT_TRUE(product());
    {
        const FlushDenormals off(false);
        EXPECT_FALSE(flushes_denormals());
        const FlushDenormals flush(true);
        EXPECT_TRUE(flushes_denormals());
        { const FlushDenormals inner(true); }
        EXPECT_TRUE(flushes_denormals());
        EXPECT_FALSE(product());
    }
    EXPECT_FALSE(flushes_denormals());
    EXPECT_TRUE(product());
}

std::map<std::string, double> shares_of(const std::vector<SubnormalShare>& list) {
    std::map<std::string, double> shares;
    for (const auto& [name, share] : list) shares[name] = share;
    return shares;
}

TEST(SubnormalActivations, AreThoseOfTheActivationFunctions) {
    const auto model = tiny_model(0.4);
    const auto batch = random_batch(1, 8);
    const auto shares = shares_of(subnormal_activations(*model, batch.image));
    // Two layers of the backbone, two in each of four branches of three heads, and three predictions.
    EXPECT_EQ(shares.size(), 2U + 3U * 4U * 2U + 3U);
    for (const auto& [name, share] : shares) EXPECT_EQ(share, 0.0) << name;
    EXPECT_TRUE(shares.contains("activation.1.relu_"));
    EXPECT_TRUE(shares.contains("prediction.depth"));
    EXPECT_TRUE(model->is_training());
    {
        const torch::NoGradGuard no_grad;
        for (auto& parameter : vgg(*model).convolutions[0]->parameters()) parameter.mul_(1e-39);
    }
    EXPECT_GT(shares_of(subnormal_activations(*model, batch.image)).at("activation.1.relu_"), 0.2);
}

TEST(SubnormalCounts, TellsEveryTensorNowAndThenAndIsPartOfTheState) {
    const auto model = tiny_model();
    {
        const torch::NoGradGuard no_grad;
        auto weight = vgg(*model).convolutions[0]->weight;
        weight.view(-1).slice(0, 0, weight.numel() / 2).fill_(1e-40F);
    }
    TrainerOptions options;
    options.optimizer.lr = 0.0;
    options.iterations = 5;
    const auto counts = std::make_shared<SubnormalCounts>(3);
    Trainer trainer(model, options, {counts});
    trainer.run(tiny_batches());
    std::map<std::string, std::vector<int64_t>> iterations;
    for (const auto& count : counts->counts()) {
        iterations[count.name].push_back(count.iteration);
        if (count.name == "weight.backbone.conv1.weight") {
            EXPECT_EQ(count.share, 0.5);
        }
    }
    for (const auto& item : model->named_parameters()) {
        EXPECT_EQ(iterations["weight." + item.key()], (std::vector<int64_t>{0, 3})) << item.key();
        EXPECT_EQ(iterations["gradient." + item.key()], (std::vector<int64_t>{0, 3})) << item.key();
    }
    SubnormalCounts loaded(3);
    loaded.load_state(copied(counts->state()));
    ASSERT_EQ(loaded.counts().size(), counts->counts().size());
    for (size_t i = 0; i < loaded.counts().size(); ++i) {
        EXPECT_EQ(loaded.counts()[i].name, counts->counts()[i].name);
        EXPECT_EQ(loaded.counts()[i].share, counts->counts()[i].share);
        EXPECT_EQ(loaded.counts()[i].iteration, counts->counts()[i].iteration);
    }
    EXPECT_THROW(loaded.load_state({}), Error);
}

TEST(SubnormalCounts, ATrainingThatFlushesKeepsNone) {
    const auto model = tiny_model();
    const auto weight = vgg(*model).convolutions[0]->weight;
    {
        const torch::NoGradGuard no_grad;
        weight.fill_(1e-40F);
    }
    TrainerOptions options;
    options.optimizer = {.kind = OptimizerKind::sgd, .lr = 0.0, .weight_decay = 0.0, .momentum = 0.0};
    options.update.flush_denormals = true;
    Trainer(model, options).step(random_batch(1, 8));
    EXPECT_EQ(subnormal_share(weight), 0.0);
    EXPECT_FALSE(flushes_denormals());
}

}  // namespace
}  // namespace mtlprune::subnormals_test
