#include "bench/kit/variants.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "bench/kit/layers.h"
#include "pruning/coupling/groups.h"
#include "tests/bad_input.h"

namespace mtlprune::variants_test {
namespace {

constexpr const char* kTiny = "vgg16:channels=[8,12,16],pools=1/smallaspp:hidden=8";

NetworkVariant variant(const std::string& text, const std::string& model = kTiny, int64_t side = 24) {
    return make_variant(text, parse_model_spec(model, "model"), nyuv2_tasks(40),
                        torch::zeros({1, 3, side, side}));
}

/// Channels of the backbone's convolutions.
std::vector<int64_t> widths(const NetworkVariant& of) {
    std::vector<int64_t> all;
    const auto model = build_variant(of, parse_model_spec(kTiny, "model"), nyuv2_tasks(40));
    for (const auto& item : model->named_parameters())
        if (item.key().starts_with("backbone.") && item.value().dim() == 4)
            all.push_back(item.value().size(0));
    return all;
}

template <typename Action>
void expect_error(const Action& action, const std::string& part) {
    EXPECT_NE(error_of(action).find(part), std::string::npos) << part;
}

TEST(NetworkVariants, HaveTheWidthsThatAreAskedFor) {
    EXPECT_EQ(widths(variant("dense")), (std::vector<int64_t>{8, 12, 16}));
    EXPECT_EQ(widths(variant("widths=3-12-9")), (std::vector<int64_t>{3, 12, 9}));
    EXPECT_EQ(widths(variant("widths=3-9-9:round_to=8")), (std::vector<int64_t>{8, 12, 16}));
    EXPECT_EQ(widths(variant("widths=3-9-8:round_to=4")), (std::vector<int64_t>{4, 12, 8}));
}

TEST(NetworkVariants, OfACriterionMeetTheirBudget) {
    const auto dense = variant("dense"), half = variant("l2@macs=0.5");
    EXPECT_LE(half.cost.macs, dense.cost.macs / 2);
    EXPECT_GE(static_cast<double>(half.cost.macs), 0.4 * static_cast<double>(dense.cost.macs));
}

/// Counted independently for the released widths at 321x321: convolutions of backbone and heads.
TEST(NetworkVariants, OfThePublishedWidthsCostWhatWasCounted) {
    const std::string paper = "vgg16/smallaspp";
    const auto gmacs = [&](const char* text) {
        return static_cast<double>(variant(text, paper, 321).cost.macs) * 1e-9;
    };
    EXPECT_NEAR(gmacs("dense"), 31.344 + 6.939, 1e-3);
    EXPECT_NEAR(gmacs("published-18"), 20.130 + 1.343, 1e-3);
}

TEST(NetworkVariants, OfUnknownFormsAreErrors) {
    expect_error([] { variant("smaller"); }, "dense, widths=64-60-");
    expect_error([] { variant("l2@latency=0.5"); }, "dense, widths=64-60-");
    expect_error([] { variant("widths=3-9"); }, "3 widths, one for each shared layer");
    expect_error([] { variant("widths=3-9-17"); }, "1 to 16 channels");
    expect_error([] { variant("widths=3--9"); }, "a whole number");
    expect_error([] { variant("l2@macs=none"); }, "a budget above 0");
}

TEST(NetworkVariants, ComputeSomeOfTheirTasksAlone) {
    const torch::NoGradGuard no_grad;
    const auto model = build_variant(variant("dense"), parse_model_spec(kTiny, "model"), nyuv2_tasks(40));
    const auto image = torch::rand({1, 3, 24, 24});
    const auto all = model->forward(image),
               some = task_subset(model, {"depth", "segmentation"})->forward(image);
    ASSERT_EQ(some.size(), 2U);
    EXPECT_TRUE(torch::equal(some[0], all[2]));
    EXPECT_TRUE(torch::equal(some[1], all[0]));
    expect_error([&] { task_subset(model, {"edges"}); }, "a task of the network");
}

TEST(Layers, AreAllConvolutionsOfTheNetwork) {
    const torch::NoGradGuard no_grad;
    for (const char* spec : {kTiny, "resnet18:width=0.125/smallaspp:hidden=8"}) {
        const auto parsed = parse_model_spec(spec, "model");
        const auto of = variant("dense", spec, 32);
        const auto model = build_variant(of, parsed, nyuv2_tasks(40));
        const auto forward = [&](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); };
        const auto layers = convolutions_of(couple(*model, forward, {torch::zeros({1, 3, 32, 32})}).graph);
        int64_t macs = 0;
        for (const auto& layer : layers) {
            macs += layer.macs;
            const auto alone = layer_model(layer);
            const auto out = alone->forward(torch::zeros(layer.input)).at(0);
            const auto forward_alone = [&](const std::vector<torch::Tensor>& in) {
                return alone->forward(in.at(0));
            };
            EXPECT_EQ(cost_of(couple(*alone, forward_alone, {torch::zeros(layer.input)}).graph).macs,
                      layer.macs)
                << layer.name;
            EXPECT_EQ(out.size(1), layer.weight[0]);
        }
        EXPECT_EQ(macs, of.cost.macs) << spec;
    }
}

}  // namespace
}  // namespace mtlprune::variants_test
