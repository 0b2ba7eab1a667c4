// Every network of the registries can be pruned while it is trained, and rebuilt from its plan.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <set>

#include "pruning/network/prune.h"
#include "pruning/surgery/surgery.h"
#include "tests/pruning/pruning_run.h"
#include "tests/python_torchscript.h"
#include "tests/random_batch.h"
#include "tests/temporary_folder.h"

namespace mtlprune::every_model_test {
namespace {

ModelPtr fresh(const std::string& spec) {
    const ModelPtr model = make_model(spec, nyuv2_tasks(5));
    model->initialise(3);
    model->to(torch::kDouble);
    return model;
}

/// Groups that a norm computes its statistics over: without some of their channels the others change, with a
/// mask they do not.
std::vector<std::string> normalised_across(const ModelPtr& model, const torch::Tensor& example) {
    std::vector<std::string> names;
    const auto forward = [&](const std::vector<torch::Tensor>& in) { return model->forward(in[0]); };
    for (const auto& group : couple(*model, forward, {example}).groups)
        if (group.cross_channel) names.push_back(group.name);
    return names;
}

PruningRun run(const ModelPtr& model, EditKind edit, int64_t side) {
    IterativePrunerOptions options;
    options.frequency = 2;
    options.allocation = lowest_of_shared(3, 2);
    options.edit = edit;
    const auto example = torch::zeros({1, 3, side, side}, torch::kDouble);
    options.allocation.ignore = normalised_across(model, example);
    return {model, example, criteria().make("taylor"), options};
}

class EveryModelPruned : public testing::TestWithParam<std::string> {
  protected:
    Batch batch(uint64_t key) const { return random_batch(key, side, torch::kDouble); }
    const int64_t side = tiny_side(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Pairs, EveryModelPruned, testing::ValuesIn(tiny_model_specs()),
                         [](const auto& info) { return short_name(info.param); });

TEST_P(EveryModelPruned, MaskedAndRemovedAgreeWhileTraining) {
    const auto removed = fresh(GetParam()), masked = fresh(GetParam());
    auto physical = run(removed, EditKind::remove, side), gone = run(masked, EditKind::mask, side);
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
    auto pruned = run(model, EditKind::remove, side);
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

/// Backbone, criterion.
class PapersSchedule : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

std::vector<std::string> one_model_per_backbone() {
    std::vector<std::string> specs;
    std::set<std::string> seen;
    for (const auto& spec : tiny_model_specs())
        if (seen.insert(parse_model_spec(spec, "test").backbone.key).second) specs.push_back(spec);
    return specs;
}

INSTANTIATE_TEST_SUITE_P(EveryBackbone, PapersSchedule,
                         testing::Combine(testing::ValuesIn(one_model_per_backbone()),
                                          testing::Values("taylor", "cosprune")),
                         [](const auto& info) {
                             return short_name(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
                         });

/// The lowest of all at every event, training between them, until every group is at its floor.
TEST_P(PapersSchedule, RunsToTheFloor) {
    const auto& [spec, criterion] = GetParam();
    const ModelPtr model = make_model(spec, nyuv2_tasks(5));
    model->initialise(3);
    const int64_t side = tiny_side(spec), floor = 2;
    const auto example = torch::zeros({1, 3, side, side});
    const auto widths_of = [&] {
        const auto forward = [&](const std::vector<torch::Tensor>& in) { return model->forward(in[0]); };
        const auto coupling = couple(*model, forward, {example});
        std::vector<int64_t> widths;
        for (const size_t group : open_groups(coupling, coupling.groups, {.only = {kSharedGroups}}))
            widths.push_back(coupling.groups[group].channels);
        return widths;
    };
    const auto dense = widths_of();
    ASSERT_FALSE(dense.empty());
    int64_t spare = 0;
    for (const int64_t width : dense) spare += std::max<int64_t>(0, width - floor);
    IterativePrunerOptions options;
    options.frequency = 2;
    options.allocation = lowest_of_shared(std::max<int64_t>(1, (spare + 2) / 3), floor);
    PruningRun run(model, example, criteria().make(criterion), options);
    run.trainer->run([&, key = uint64_t{0}]() mutable { return random_batch(key++, side, torch::kFloat); });
    EXPECT_EQ(run.pruner->events().size(), spare >= 3 ? 3U : static_cast<size_t>(spare));
    const auto left = widths_of();
    ASSERT_EQ(left.size(), dense.size());
    for (size_t group = 0; group < dense.size(); ++group)
        EXPECT_EQ(left[group], std::min(dense[group], floor)) << "group " << group;
    model->eval();
    for (const auto& prediction : model->forward(random_batch(99, side, torch::kFloat).image))
        EXPECT_TRUE(prediction.isfinite().all().item<bool>());
}

TEST(EveryBackbone, PrunedByHalfComputesTheSameInPython) {
    const torch::NoGradGuard no_grad;
    const TemporaryFolder folder;
    for (const auto& spec : one_model_per_backbone()) {
        const ModelPtr model = make_model(spec, nyuv2_tasks(5));
        model->initialise(3);
        model->eval();
        const auto forward = [&](const std::vector<torch::Tensor>& in) { return model->forward(in[0]); };
        ModuleNetwork network(*model, forward, {tiny_images(spec, 1)});
        const auto report = prune(network, criteria().make("l2"));
        EXPECT_LT(report.after.parameters, report.before.parameters) << spec;
        export_with_expectation(*model, spec, folder.path(), short_name(spec));
    }
    const auto agrees = python_agrees(folder.path());
    if (!agrees) GTEST_SKIP() << "Python has no PyTorch";
    EXPECT_TRUE(*agrees);
}

}  // namespace
}  // namespace mtlprune::every_model_test
