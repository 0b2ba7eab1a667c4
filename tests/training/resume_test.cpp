// A training that is killed and goes on from its state computes the same bits, whatever it is made of.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/temporary_folder.h"
#include "tests/training/tiny_training.h"
#include "training/callbacks/weight_average.h"

namespace mtlprune::resume_test {
namespace {

constexpr int64_t kSteps = 6, kKilledAfter = 3;

struct Parts {
    OptimizerKind optimizer;
    std::string weighting;
    bool average;
    int64_t accumulate;
    Precision precision;
};

std::vector<Parts> all_parts() {
    std::vector<Parts> parts;
    for (const auto optimizer : {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd})
        for (const auto& weighting : task_weightings().keys())
            for (const bool average : {false, true})
                for (const int64_t accumulate : {1, 2})
                    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
                        if (precision == Precision::bfloat16 && optimizer != OptimizerKind::adam) continue;
                        parts.push_back(
                            {optimizer, quick_weighting(weighting), average, accumulate, precision});
                    }
    return parts;
}

std::string name_of(const ::testing::TestParamInfo<Parts>& info) {
    const auto& parts = info.param;
    const char* optimizers[] = {"adam", "adamw", "sgd"};
    return std::string(optimizers[static_cast<int>(parts.optimizer)]) + "_" +
           parts.weighting.substr(0, parts.weighting.find(':')) + (parts.average ? "_average" : "") + "_" +
           std::to_string(parts.accumulate) + "_" + precisions().name(parts.precision);
}

class Resume : public ::testing::TestWithParam<Parts> {
  protected:
    struct Run {
        PaperModel model;
        std::unique_ptr<Trainer> trainer;
    };

    Run start(int64_t iterations) const {
        const auto& parts = GetParam();
        TrainerOptions options;
        options.optimizer = default_optimizer(parts.optimizer);
        options.optimizer.lr = 0.01;
        options.learning_rate_schedule = {.kind = LearningRateKind::poly, .t_max = 10, .warm_up = 4};
        options.update = {.accumulate = parts.accumulate,
                          .clip_norm = 1.0,
                          .precision = parts.precision,
                          .task_weighting = parts.weighting};
        options.iterations = iterations;
        options.seed = 7;
        Run run{tiny_model(0.3), nullptr};
        std::vector<std::shared_ptr<Callback>> callbacks;
        if (parts.average) callbacks.push_back(std::make_shared<WeightAverage>(run.model, 0.9));
        run.trainer = std::make_unique<Trainer>(run.model, options, callbacks);
        return run;
    }
};

TEST_P(Resume, IsBitwiseTheSame) {
    const auto whole = start(kSteps);
    whole.trainer->run(tiny_batches());
    const TemporaryFolder folder;
    {
        const auto killed = start(kKilledAfter);
        killed.trainer->run(tiny_batches());
        save_tensors(folder.path() / "state.pt", killed.trainer->state());
    }
    const auto resumed = start(kSteps);
    resumed.trainer->load_state(load_tensors(folder.path() / "state.pt"));
    resumed.trainer->run(tiny_batches(kKilledAfter * GetParam().accumulate));
    const auto expected = whole.trainer->state(), found = resumed.trainer->state();
    ASSERT_EQ(expected.size(), found.size());
    for (const auto& [name, tensor] : expected) EXPECT_TRUE(tensor.equal(found.at(name))) << name;
    EXPECT_EQ(found.at("iteration").item<int64_t>(), kSteps);
}

INSTANTIATE_TEST_SUITE_P(All, Resume, ::testing::ValuesIn(all_parts()), name_of);

}  // namespace
}  // namespace mtlprune::resume_test
