// Soft thresholds of weights: loops over weights, finite differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "pruning/masks/weight_mask_training.h"
#include "tests/training/tiny_training.h"
#include "training/losses.h"

namespace mtlprune::adapmtl_weights_test {
namespace {

OptimizerConfig plain(double lr, double decay = 0.0) {
    return {.kind = OptimizerKind::sgd, .lr = lr, .weight_decay = decay, .momentum = 0.0};
}

struct SoftRun {
    explicit SoftRun(const std::string& text, const OptimizerConfig& optimizer = plain(0.05),
                     const std::string& weighting = "fixed")
        : masking(std::make_shared<WeightMaskTraining>(model, weight_maskings().make(text), 50, 1)),
          trainer(model, {.optimizer = optimizer, .update = {.task_weighting = weighting}}, {masking}) {}

    Batch batch() const {
        return random_batch(static_cast<uint64_t>(trainer.iteration()), 8, torch::kDouble);
    }
    void step(int64_t count = 1) {
        for (int64_t i = 0; i < count; ++i) trainer.step(batch());
    }
    TensorMap stored() const { return copied(entries_of("weight_masks.stored.", trainer.state())); }
    torch::Tensor s() const { return trainer.state().at("weight_masks.thresholds.s").clone(); }

    PaperModel model = tiny_model(0.0, torch::kDouble);
    std::shared_ptr<WeightMaskTraining> masking;
    Trainer trainer;
};

/// Number of a weight's threshold: the backbone's, then every head's.
int64_t part_of_weight(const std::string& name) {
    int64_t part = 1;
    for (const auto& task : nyuv2_tasks(5)) {
        if (name.starts_with("heads." + task.name + ".")) return part;
        ++part;
    }
    return 0;
}

/// sign(w) max(|w| - tau, 0), one by one; counts those that are 0.
TensorMap slow_effective(const TensorMap& stored, const torch::Tensor& s, int64_t* zeros = nullptr) {
    auto effective = copied(stored);
    for (auto& [name, tensor] : effective) {
        const double tau = 1.0 / (1.0 + std::exp(-s[part_of_weight(name)].item<double>()));
        double* value = tensor.data_ptr<double>();
        for (int64_t i = 0; i < tensor.numel(); ++i) {
            if (zeros != nullptr) *zeros += std::abs(value[i]) <= tau ? 1 : 0;
            value[i] = value[i] > tau ? value[i] - tau : value[i] < -tau ? value[i] + tau : 0.0;
        }
    }
    return effective;
}

std::map<std::string, torch::Tensor> by_name(const Model& model) {
    std::map<std::string, torch::Tensor> parameters;
    for (const auto& item : model.named_parameters()) parameters[item.key()] = item.value();
    return parameters;
}

TEST(AdapMtlWeights, TheNetworkHoldsWhatThresholdsLeave) {
    SoftRun run("adapmtl:start=-3.0", plain(0.05, 0.1));
    for (int i = 0; i < 4; ++i) {
        int64_t zeros = 0;
        for (const auto& [name, expected] : slow_effective(run.stored(), run.s(), &zeros))
            EXPECT_TRUE(torch::allclose(by_name(*run.model).at(name), expected, 1e-12, 1e-15)) << name;
        const auto count = run.masking->masks().count();
        EXPECT_EQ(count.all - count.kept, zeros);
        EXPECT_GT(zeros, 0);
        EXPECT_GT(count.kept, 0);
        // What is not kept is zero already: the network is the plain one with these weights.
        const auto before = copied(module_state(*run.model));
        run.masking->masks().apply(*run.model);
        for (const auto& [name, tensor] : before)
            EXPECT_TRUE(torch::equal(tensor, module_state(*run.model).at(name))) << name;
        run.step();
    }
}

TEST(AdapMtlWeights, GradientsAreThoseOfStoredWeightsAndThresholds) {
    SoftRun run("adapmtl:start=-3.0,density=0.01");
    run.step(2);
    const auto state = copied(run.trainer.state());
    const auto stored = run.stored();
    const auto s = run.s();
    const auto batch = run.batch();
    const auto other = tiny_model(0.0, torch::kDouble);
    load_module_state(*other, entries_of("model.", state));
    const auto loss_at = [&](const TensorMap& weights, const torch::Tensor& thresholds) {
        const torch::NoGradGuard no_grad;
        for (const auto& [name, value] : slow_effective(weights, thresholds))
            by_name(*other).at(name).copy_(value);
        double sum = 0.0;
        for (const auto& loss : task_losses(other->tasks(), other->forward(batch.image), batch.targets))
            sum += loss.item<double>();
        return sum;
    };
    run.trainer.take_gradients(batch);
    constexpr double kStep = 1e-6;
    int zeros = 0;
    for (const auto& [name, weights] : stored) {
        const auto gradient = by_name(*run.model).at(name).grad().flatten();
        for (int64_t i = 0; i < weights.numel(); i += std::max<int64_t>(1, weights.numel() / 6)) {
            auto above = copied(stored), below = copied(stored);
            above.at(name).view(-1)[i] += kStep;
            below.at(name).view(-1)[i] -= kStep;
            const double slope = (loss_at(above, s) - loss_at(below, s)) / (2 * kStep);
            EXPECT_NEAR(gradient[i].item<double>(), slope, 1e-7) << name << " " << i;
            zeros += slope == 0.0 ? 1 : 0;
        }
    }
    EXPECT_GT(zeros, 0);
    SoftRun stepped("adapmtl:start=-3.0,density=0.01");
    stepped.trainer.load_state(state);
    stepped.trainer.step(batch);
    for (int64_t part = 0; part < 4; ++part) {
        auto above = s.clone(), below = s.clone();
        above[part] += kStep;
        below[part] -= kStep;
        const double slope = (loss_at(stored, above) - loss_at(stored, below)) / (2 * kStep);
        EXPECT_NEAR((s[part] - stepped.s()[part]).item<double>() / 0.05, slope, 1e-7) << part;
    }
}

TEST(AdapMtlWeights, AHeadsThresholdIsNothingToAnother) {
    SoftRun run("adapmtl:start=-3.0", plain(0.0));
    run.step();
    auto state = copied(run.trainer.state());
    SoftRun changed("adapmtl:start=-3.0", plain(0.0));
    state.at("weight_masks.thresholds.s")[2] += 1.0;
    changed.trainer.load_state(state);
    run.step();
    changed.step();
    const auto a = run.model->forward(run.batch().image), b = changed.model->forward(run.batch().image);
    for (size_t t = 0; t < 3; ++t) EXPECT_EQ(torch::equal(a[t], b[t]), t != 1) << t;
    SoftRun alone("adapmtl:start=-3.0", plain(0.5), "fixed:weights=[0,1,0]");
    const auto before = alone.s();
    alone.step();
    EXPECT_TRUE(torch::equal(alone.s() != before, torch::tensor({true, false, true, false})));
}

/// Without gradients of the losses.
TEST(AdapMtlWeights, DecayAloneMakesMoreWeightsZero) {
    SoftRun run("adapmtl:start=-6.0,density=0.01", plain(0.5, 0.1), "fixed:weights=[0,0,0]");
    int64_t kept = run.masking->masks().count().kept;
    auto s = run.s();
    for (int i = 0; i < 20; ++i) {
        run.step();
        EXPECT_TRUE((run.s() > s).all().item<bool>());
        EXPECT_LE(run.masking->masks().count().kept, kept);
        s = run.s();
        kept = run.masking->masks().count().kept;
    }
    EXPECT_LT(kept, run.masking->masks().count().all);
}

TEST(AdapMtlWeights, ThresholdsStayOnceSoFewWeightsAreLeft) {
    OptimizerConfig adam{.lr = 0.02, .weight_decay = 0.01};
    for (const bool reached : {true, false}) {
        SoftRun run(reached ? "adapmtl:start=-2.0,density=0.9" : "adapmtl:start=-2.0,density=0.01", adam);
        ASSERT_LT(run.masking->masks().count().density(), 0.9);
        const auto s = run.s();
        const auto stored = run.stored();
        run.step();
        EXPECT_EQ(torch::equal(run.s(), s), reached);
        EXPECT_EQ(run.masking->masking().settled(1), reached);
        for (const auto& [name, weights] : stored) EXPECT_FALSE(torch::equal(run.stored().at(name), weights));
    }
}

TEST(AdapMtlWeights, GoesOnFromItsState) {
    OptimizerConfig adam{.lr = 0.02, .weight_decay = 0.01};
    SoftRun whole("adapmtl:start=-4.0", adam), resumed("adapmtl:start=-4.0", adam);
    whole.step(3);
    resumed.trainer.load_state(copied(whole.trainer.state()));
    whole.step(3);
    resumed.step(3);
    const auto expected = whole.trainer.state(), found = resumed.trainer.state();
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(found.at(name), tensor)) << name;
}

}  // namespace
}  // namespace mtlprune::adapmtl_weights_test
