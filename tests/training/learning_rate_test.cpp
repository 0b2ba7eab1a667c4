// Learning-rate schedules against PyTorch's (learning_rates.py) and their recurrences.
#include "training/learning_rate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "base/error.h"
#include "tests/bad_input.h"

namespace mtlprune::learning_rate_test {
namespace {

JsonReader reader(const char* text) {
    return {parse_json(text, "test.json"), "test.json"};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct ReferenceRates {
    LearningRateKind kind;
    int64_t warm_up;
    std::vector<double> rates;
};

/// Printed by learning_rates.py.
const std::vector<ReferenceRates> kReference = {
    {LearningRateKind::constant, 0, {0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2}},
    {LearningRateKind::constant, 4, {0.05, 0.1, 0.15, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2}},
    {LearningRateKind::cosine,
     0,
     {0.2, 0.192387953251129, 0.170710678118655, 0.138268343236509, 0.1, 0.061731656763491,
      0.0292893218813453, 0.00761204674887133, 0, 0.00761204674887133, 0.0292893218813453,
      0.0617316567634911}},
    {LearningRateKind::cosine,
     4,
     {0.05, 0.0961939766255643, 0.128033008588991, 0.138268343236509, 0.1, 0.061731656763491,
      0.0292893218813452, 0.00761204674887133, 0, 0.00761204674887133, 0.0292893218813453,
      0.0617316567634911}},
    {LearningRateKind::step, 0, {0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025}},
    {LearningRateKind::step, 4, {0.05, 0.1, 0.15, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025}},
    {LearningRateKind::poly,
     0,
     {0.2, 0.181906515216592, 0.163610429210172, 0.145083569387444, 0.126289173497871, 0.107177346253629,
      0.0876766581108174, 0.06767669238033, 0.0469847577235208, 0.0251785082358833, 0, 0}},
    {LearningRateKind::poly,
     4,
     {0.05, 0.0909532576082962, 0.122707821907629, 0.145083569387444, 0.126289173497871, 0.107177346253629,
      0.0876766581108174, 0.06767669238033, 0.0469847577235208, 0.0251785082358833, 0, 0}},
};

TEST(LearningRate, FollowsPyTorchWithAndWithoutWarmUp) {
    for (const auto& reference : kReference) {
        LearningRateSchedule schedule;
        schedule.kind = reference.kind;
        schedule.t_max = reference.kind == LearningRateKind::poly ? 10 : 8;
        schedule.step_size = 3;
        schedule.gamma = 0.5;
        schedule.warm_up = reference.warm_up;
        for (size_t i = 0; i < reference.rates.size(); ++i)
            EXPECT_NEAR(learning_rate(schedule, 0.2, static_cast<int64_t>(i)), reference.rates[i], 1e-14)
                << static_cast<int>(reference.kind) << ' ' << reference.warm_up << ' ' << i;
    }
}

TEST(LearningRate, WarmUpCountsIterationsWhateverTheLengthOfAStep) {
    LearningRateSchedule schedule;
    schedule.every = 100;
    schedule.warm_up = 4;
    for (int64_t iteration = 0; iteration < 8; ++iteration)
        EXPECT_DOUBLE_EQ(learning_rate(schedule, 2.0, iteration),
                         iteration < 4 ? 0.5 * static_cast<double>(iteration + 1) : 2.0);
}

TEST(LearningRate, CosineFollowsTorchsRecurrence) {
    LearningRateSchedule schedule;
    schedule.kind = LearningRateKind::cosine;
    schedule.t_max = 20;
    schedule.min_lr = 1e-5;
    double rate = 1e-3;
    for (int64_t step = 0; step < schedule.t_max; ++step) {
        EXPECT_NEAR(learning_rate(schedule, 1e-3, step), rate, 1e-15);
        const auto cosine = [&](int64_t t) {
            return 1 + std::cos(std::numbers::pi * static_cast<double>(t) / 20);
        };
        rate = cosine(step + 1) / cosine(step) * (rate - 1e-5) + 1e-5;
    }
    EXPECT_NEAR(learning_rate(schedule, 1e-3, 20), 1e-5, 1e-18);
    EXPECT_NEAR(learning_rate(schedule, 1e-3, 10), (1e-3 + 1e-5) / 2, 1e-15);
    EXPECT_NEAR(learning_rate(schedule, 1e-3, 25), learning_rate(schedule, 1e-3, 15), 1e-15);
}

TEST(LearningRate, AStretchedCurveHasTheSameShape) {
    for (const auto kind : {LearningRateKind::cosine, LearningRateKind::step, LearningRateKind::poly})
        for (const int64_t every : {1, 10}) {
            LearningRateSchedule schedule;
            schedule.kind = kind;
            schedule.every = every;
            schedule.t_max = 12;
            schedule.step_size = 4;
            const auto longer = stretched(schedule, 2.5);
            for (int64_t iteration = 0; iteration < 12 * every; iteration += 2 * every)
                EXPECT_NEAR(learning_rate(longer, 0.1, iteration * 5 / 2),
                            learning_rate(schedule, 0.1, iteration), 1e-12)
                    << static_cast<int>(kind) << ' ' << every << ' ' << iteration;
        }
    LearningRateSchedule schedule;
    schedule.warm_up = 7;
    EXPECT_EQ(stretched(schedule, 1.5).warm_up, 10);
    EXPECT_EQ(stretched(schedule, 0.01).t_max, 1);
}

TEST(LearningRate, StepAndConstant) {
    LearningRateSchedule schedule;
    EXPECT_EQ(learning_rate(schedule, 0.3, 1000), 0.3);
    schedule.kind = LearningRateKind::step;
    schedule.step_size = 30;
    schedule.gamma = 0.5;
    EXPECT_EQ(learning_rate(schedule, 0.3, 0), 0.3);
    EXPECT_EQ(learning_rate(schedule, 0.3, 29), 0.3);
    EXPECT_EQ(learning_rate(schedule, 0.3, 30), 0.15);
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 0.3, 95), 0.3 / 8);
}

TEST(LearningRate, AStepMayBeSeveralIterationsLong) {
    LearningRateSchedule schedule;
    schedule.kind = LearningRateKind::step;
    schedule.step_size = 2;
    schedule.gamma = 0.5;
    schedule.every = 3;
    for (int64_t iteration = 0; iteration < 12; ++iteration)
        EXPECT_EQ(learning_rate(schedule, 1.0, iteration), iteration < 6 ? 1.0 : 0.5) << iteration;
}

TEST(LearningRateSchedule, ReadsKeysAndRejectsWrongOnes) {
    EXPECT_EQ(read_learning_rate_schedule(reader("{}")), LearningRateSchedule());
    const auto cosine =
        read_learning_rate_schedule(reader(R"({"kind": "cosine", "t_max": 400, "min_lr": 1e-6})"));
    EXPECT_EQ(cosine.kind, LearningRateKind::cosine);
    EXPECT_EQ(cosine.t_max, 400);
    EXPECT_EQ(cosine.min_lr, 1e-6);
    const auto step =
        read_learning_rate_schedule(reader(R"({"kind": "step", "step_size": 7, "gamma": 0.3})"));
    EXPECT_EQ(step.step_size, 7);
    EXPECT_EQ(step.gamma, 0.3);
    const auto poly =
        read_learning_rate_schedule(reader(R"({"kind": "poly", "t_max": 9, "power": 2, "warm_up": 3})"));
    EXPECT_EQ(poly.t_max, 9);
    EXPECT_EQ(poly.power, 2.0);
    EXPECT_EQ(poly.warm_up, 3);
    const auto attempt = [](const char* text) {
        return error_of([&] { read_learning_rate_schedule(reader(text)); });
    };
    EXPECT_TRUE(contains(attempt(R"({"kind": "poly"})"), "t_max"));
    EXPECT_TRUE(contains(attempt(R"({"warm_up": -1})"), "warm_up"));
    EXPECT_TRUE(contains(attempt(R"({"kind": "cosine"})"), "t_max"));
    EXPECT_TRUE(contains(attempt(R"({"kind": "cosine", "t_max": 0})"), "t_max"));
    EXPECT_TRUE(contains(attempt(R"({"kind": "constant", "gamma": 0.5})"), "gamma"));
}

TEST(LearningRateSchedule, WithoutAWarmUpADescriptionIsWhatItWasBeforeThereWasOne) {
    const auto resolved = [](const char* text) {
        auto json = reader(text);
        read_learning_rate_schedule(json);
        return json.resolved();
    };
    EXPECT_EQ(resolved("{}"), parse_json(R"({"kind": "constant", "every": 1})", "expected"));
    EXPECT_EQ(resolved(R"({"warm_up": 0})"), resolved("{}"));
    EXPECT_EQ(resolved(R"({"warm_up": 7})").at("warm_up"), 7);
}

}  // namespace
}  // namespace mtlprune::learning_rate_test
