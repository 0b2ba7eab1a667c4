// Every network of the registries can be pruned while it is trained, and rebuilt from its plan.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "pruning/surgery/surgery.h"
#include "tests/pruning/pruning_run.h"
#include "tests/random_batch.h"
#include "tests/tiny_models.h"

namespace mtlprune::every_model_test {
namespace {

ModelPtr fresh(const std::string& spec) {
    const ModelPtr model = make_model(spec, nyuv2_tasks(5));
    model->initialise(3);
    model->to(torch::kDouble);
    return model;
}

PruningRun run(const ModelPtr& model, int64_t side, EditKind edit) {
    IterativePrunerOptions options;
    options.frequency = 2;
    options.allocation = lowest_of_shared(3, 2);
    options.edit = edit;
    return {model, torch::zeros({1, 3, side, side}), criteria().make("taylor"), options};
}

class EveryModelPruned : public testing::TestWithParam<std::string> {
  protected:
    Batch batch(uint64_t key) const { return random_batch(key, side_, torch::kDouble); }
    const int64_t side_ = image_side(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Pairs, EveryModelPruned, testing::ValuesIn(tiny_model_specs()),
                         [](const auto& info) { return short_name(info.param); });

TEST_P(EveryModelPruned, MaskedAndRemovedAgreeWhileTraining) {
    const auto removed = fresh(GetParam()), masked = fresh(GetParam());
    auto physical = run(removed, side_, EditKind::remove), gone = run(masked, side_, EditKind::mask);
    const auto whole = physical.pruner->pruner().cost();
    for (uint64_t i = 0; i < 8; ++i) {
        physical.trainer->step(batch(i));
        gone.trainer->step(batch(i));
        ASSERT_EQ(physical.pruner->events().size(), gone.pruner->events().size());
    }
    ASSERT_EQ(physical.pruner->events().size(), 4U);
    EXPECT_LT(physical.pruner->pruner().cost().macs, whole.macs);
    const torch::NoGradGuard no_grad;
    removed->eval();
    masked->eval();
    const auto image = batch(99).image;
    const auto a = removed->forward(image), b = masked->forward(image);
    for (size_t t = 0; t < a.size(); ++t)
        EXPECT_LT(((a[t] - b[t]).abs().max() / a[t].abs().max()).item<double>(), 1e-10) << "task " << t;
}

TEST_P(EveryModelPruned, IsRebuiltFromItsSpecAndItsPlan) {
    const auto model = fresh(GetParam());
    auto pruned = run(model, side_, EditKind::remove);
    for (uint64_t i = 0; i < 6; ++i) pruned.trainer->step(batch(i));
    std::vector<Plan> steps;
    for (const auto& event : pruned.pruner->events()) steps.push_back(event.plan);
    const auto rebuilt = fresh(GetParam());
    replay(*rebuilt, steps);
    load_module_state(*rebuilt, module_state(*model));
    model->eval();
    rebuilt->eval();
    const torch::NoGradGuard no_grad;
    const auto image = batch(99).image;
    const auto a = model->forward(image), b = rebuilt->forward(image);
    for (size_t t = 0; t < a.size(); ++t) EXPECT_TRUE(a[t].equal(b[t])) << "task " << t;
}

}  // namespace
}  // namespace mtlprune::every_model_test
