// Which channels of shared maps are left, against networks in which the others are zero.
#include "pruning/surgery/kept_maps.h"

#include <gtest/gtest.h>

#include "pruning/allocation/allocation.h"
#include "pruning/surgery/surgery.h"
#include "tests/tiny_models.h"
#include "training/trainer.h"

namespace mtlprune::kept_maps_test {
namespace {

/// Two events of half and a third of every group's channels, chosen by keyed random scores.
std::vector<Plan> two_events(Model& model, const torch::Tensor& example) {
    const auto coupling = couple(
        model, [&](const std::vector<torch::Tensor>& in) { return model.forward(in.at(0)); }, {example});
    auto groups = coupling.groups;
    std::vector<Plan> steps;
    torch::manual_seed(5);
    for (const double share : {0.5, 0.65}) {
        std::vector<torch::Tensor> scores;
        for (const auto& group : groups) scores.push_back(torch::rand({group.channels}, torch::kDouble));
        AllocationOptions options;
        options.budget = {BudgetUnit::channels, share};
        steps.push_back(make_plan(groups, allocate(coupling, groups, scores, options).removed));
        remove_channels(groups, steps.back());
    }
    return steps;
}

class KeptOfMaps : public testing::TestWithParam<std::string> {};

TEST_P(KeptOfMaps, AreTheChannelsThatDoNotVanishInTheDenseNetwork) {
    const torch::NoGradGuard no_grad;
    const std::vector<TaskSpec> tasks = nyuv2_tasks(5);
    const auto build = [&] {
        auto model = make_model(GetParam(), tasks);
        model->initialise(3);
        model->to(torch::kDouble);
        model->eval();
        return model;
    };
    const int64_t side = tiny_side(GetParam());
    const auto image = torch::rand({1, 3, side, side}, torch::kDouble);
    auto dense = build(), pruned = build(), thrown_away = build();
    const auto steps = two_events(*dense, image);
    for (const auto& step : steps) apply_plan(*pruned, step);
    zero_removed(*dense, Plan{.slices = slices_of_original(steps)});
    const auto kept = kept_of_maps(*thrown_away, image, steps);
    const auto wanted = pruned->features(image), all = dense->features(image);
    ASSERT_EQ(kept.size(), wanted.size());
    // Layer norms see zeros that are there, but not channels that left.
    const bool same =
        GetParam().find("convnext") == std::string::npos && GetParam().find("vit_") == std::string::npos;
    bool smaller = false;
    for (size_t m = 0; m < kept.size(); ++m) {
        ASSERT_EQ(kept[m].numel(), wanted[m].size(1));
        smaller |= kept[m].numel() < all[m].size(1);
        if (!same) continue;
        EXPECT_TRUE(torch::allclose(all[m].index_select(1, kept[m]), wanted[m], 1e-9, 1e-9)) << m;
    }
    EXPECT_TRUE(smaller);
}

/// Every backbone, with the first head that it fits.
std::vector<std::string> one_spec_per_backbone() {
    std::vector<std::string> specs;
    for (const auto& backbone : backbones().entries())
        for (const auto& head : heads().entries())
            if (fits(backbone.key, head.key)) {
                specs.push_back(tiny(backbone) + "/" + tiny(head));
                break;
            }
    return specs;
}

INSTANTIATE_TEST_SUITE_P(EveryBackbone, KeptOfMaps, testing::ValuesIn(one_spec_per_backbone()),
                         [](const auto& spec) { return short_name(spec.param); });

}  // namespace
}  // namespace mtlprune::kept_maps_test
