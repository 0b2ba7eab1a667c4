// Encoder-decoder and transformer networks: their cost, and what half of their channels can leave.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <set>

#include "pruning/network/prune.h"
#include "tests/models/decoder_table.h"
#include "tests/tiny_models.h"

namespace mtlprune::pruned_decoders_test {
namespace {

int64_t macs_at_224(torch::nn::Module& module, const TracedFunction& forward) {
    const torch::NoGradGuard no_grad;
    module.eval();
    return cost_of(couple(module, forward, {torch::zeros({1, 3, 224, 224})}).graph).macs;
}

int64_t backbone_macs(const std::string& spec) {
    const std::shared_ptr<Backbone> backbone = backbones().make(spec);
    return macs_at_224(*backbone, [&](const auto& in) { return backbone->forward(in[0]); });
}

/// Of the backbone and of one head for segmentation.
int64_t network_macs(const std::string& spec) {
    const auto model = make_model(spec, {nyuv2_tasks(13)[0]});
    return macs_at_224(*model, [&](const auto& in) { return model->forward(in[0]); });
}

TEST(DecoderCost, IsThatOfIndependentVersions) {
    for (const std::string name : {"segnet", "unet", "convnext_t", "vit_s16"})
        EXPECT_EQ(backbone_macs(name), decoder_count(name, "macs")) << name;
    for (const std::string name : {"segnet/mtan", "convnext_t/unet", "vit_s16/dpt"}) {
        const auto backbone = name.substr(0, name.find('/'));
        EXPECT_EQ(network_macs(name), decoder_count(backbone, "macs") + decoder_count(name, "macs")) << name;
    }
}

/// In G, with the classifier's linear layer: torchvision's page of convnext_tiny, and DeiT's table 5.
TEST(DecoderCost, IsThePublishedOne) {
    EXPECT_NEAR(static_cast<double>(backbone_macs("convnext_t") + 768'000) * 1e-9, 4.46, 0.005);
    EXPECT_NEAR(static_cast<double>(backbone_macs("vit_s16") + 384'000) * 1e-9, 4.6, 0.05);
}

std::vector<std::string> decoder_specs() {
    std::vector<std::string> specs;
    for (const auto& spec : tiny_model_specs()) {
        const auto parsed = parse_model_spec(spec, "test");
        // Convolutional backbones are halved in backbones_pruned_test.cpp.
        static const std::set<std::string> these = {"segnet", "unet", "convnext_t", "vit_s16"};
        const bool deep = parsed.backbone.key == "resnet18" && parsed.head.key == "unet";
        if (these.contains(parsed.backbone.key) || deep) specs.push_back(spec);
    }
    return specs;
}

/// All tensors drawn, so that nothing is 0 or 1 by its start.
std::shared_ptr<MultiTaskModel> drawn(const std::string& spec) {
    const torch::NoGradGuard no_grad;
    const auto model = make_model(spec, nyuv2_tasks(5));
    model->initialise(3);
    const auto generator = at::detail::createCPUGenerator(4);
    for (auto& parameter : model->parameters())
        if (parameter.dim() == 1 || parameter.dim() == 3) parameter.uniform_(0.5, 1.5, generator);
    for (auto& buffer : model->buffers())
        if (buffer.is_floating_point()) buffer.uniform_(0.5, 1.5, generator);
    model->to(torch::kDouble);
    model->eval();
    return model;
}

class PrunedDecoder : public testing::TestWithParam<std::tuple<std::string, RankingScope>> {
  protected:
    PruneReport prune_half(const std::vector<std::string>& ignore) {
        PruneOptions options;
        options.allocation = {.scope = std::get<1>(GetParam()), .budget = {BudgetUnit::channels, 0.5}};
        options.allocation.ignore = ignore;
        return prune(network, criteria().make("l2"), options);
    }
    /// Groups that a layer norm computes its statistics over: removed channels are then no zeros.
    std::vector<std::string> normalised_across() {
        std::vector<std::string> names;
        for (const auto& group : network.couple({}).groups)
            if (group.cross_channel) names.push_back(group.name);
        return names;
    }
    int64_t parameters() const {
        int64_t count = 0;
        for (const auto& parameter : model->parameters()) count += parameter.numel();
        return count;
    }

    const std::shared_ptr<MultiTaskModel> model = drawn(std::get<0>(GetParam()));
    const int64_t side = tiny_side(std::get<0>(GetParam()));
    const torch::Tensor image =
        torch::randn({2, 3, side, side}, at::detail::createCPUGenerator(5), torch::kDouble);
    ModuleNetwork network{*model, [this](const auto& in) { return model->forward(in[0]); }, {image}};
};

INSTANTIATE_TEST_SUITE_P(Pairs, PrunedDecoder,
                         testing::Combine(testing::ValuesIn(decoder_specs()),
                                          testing::Values(RankingScope::local, RankingScope::global)),
                         [](const auto& info) {
                             return short_name(std::get<0>(info.param)) +
                                    (std::get<1>(info.param) == RankingScope::local ? "_local" : "_global");
                         });

/// prune() compares with the original whose removed channels are zero.
TEST_P(PrunedDecoder, ComputesWhatTheZeroedNetworkComputes) {
    const auto report = prune_half(normalised_across());
    EXPECT_LT(report.error, 1e-9);
    EXPECT_GT(report.removed_channels, 0);
    EXPECT_LT(static_cast<double>(report.after.macs), 0.8 * static_cast<double>(report.before.macs));
    EXPECT_EQ(report.after.parameters, parameters());
}

TEST_P(PrunedDecoder, LosesHalfOfAllChannelsThatAreFree) {
    const auto report = prune_half({});
    EXPECT_GE(2 * report.removed_channels, report.channels);
    EXPECT_LT(static_cast<double>(report.after.parameters),
              0.5 * static_cast<double>(report.before.parameters));
    EXPECT_EQ(report.after.parameters, parameters());
    // The image's channels, the predictions', and the number of heads where heads become narrower.
    for (const auto& axis : report.frozen) {
        const bool is_end = axis.reason.find("network ") != std::string::npos;
        EXPECT_TRUE(is_end || axis.tensor.ends_with("head_gates")) << axis.tensor << ": " << axis.reason;
    }
    for (const auto& output : model->forward(image)) EXPECT_TRUE(output.isfinite().all().item<bool>());
}

/// Of six heads of four channels each attention keeps three, as wide as they were.
TEST(PrunedVit, LosesWholeHeads) {
    const auto model = drawn("vit_s16:width=0.0625,depth=4/smallaspp:hidden=6,dropout=0");
    ModuleNetwork network(*model, [&](const auto& in) { return model->forward(in[0]); },
                          {torch::randn({2, 3, 32, 32}, at::detail::createCPUGenerator(5), torch::kDouble)});
    PruneOptions options;
    options.coupling.whole_heads = true;
    options.allocation.budget = {BudgetUnit::channels, 0.5};
    options.allocation.only = {"backbone.*self_attention"};
    EXPECT_LT(prune(network, criteria().make("l2"), options).error, 1e-9);
    for (const auto& parameter : model->backbone().named_parameters()) {
        if (!parameter.key().ends_with("in_proj_weight")) continue;
        EXPECT_EQ(parameter.value().sizes().vec(), (std::vector<int64_t>{3 * 3 * 4, 24}));
    }
    for (const auto& buffer : model->backbone().named_buffers())
        EXPECT_EQ(buffer.value().sizes().vec(), std::vector<int64_t>{3}) << buffer.key();
}

}  // namespace
}  // namespace mtlprune::pruned_decoders_test
