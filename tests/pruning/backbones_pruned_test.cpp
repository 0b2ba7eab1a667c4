// Every backbone: its published cost, and half of its channels removed.
#include <gtest/gtest.h>

#include <cctype>
#include <map>

#include "pruning/network/prune.h"
#include "tests/random_batch.h"
#include "tests/tiny_models.h"
#include "tests/torchvision_outputs.h"

namespace mtlprune::backbones_pruned_test {
namespace {

ModelPtr classifier(const std::string& backbone, int64_t classes) {
    const ModelPtr model = make_model(backbone + "/linear", {{"scores", TaskKind::classification, classes}});
    model->initialise(3);
    return model;
}

TracedFunction forward_of(const ModelPtr& model) {
    return [model](const std::vector<torch::Tensor>& inputs) { return model->forward(inputs.at(0)); };
}

class CostsLikeTorchvision : public testing::TestWithParam<TorchvisionOutputs> {};

INSTANTIATE_TEST_SUITE_P(Networks, CostsLikeTorchvision, testing::ValuesIn(torchvision_outputs()),
                         torchvision_test_name);

TEST_P(CostsLikeTorchvision, ToTheLastMac) {
    const auto model = classifier(GetParam().backbone, GetParam().classes());
    const int64_t side = GetParam().cost_side();
    const auto cost = cost_of(trace(*model, forward_of(model), {torch::zeros({1, 3, side, side})}));
    EXPECT_EQ(cost.parameters, GetParam().parameters());
    EXPECT_EQ(cost.macs, GetParam().macs());
}

/// Millions of multiply-accumulates that torchvision lists (0.14, "_ops" of the weights), and for CIFAR that
/// pruning papers list (HRank, CVPR 2020: ResNet-56; FPGM, CVPR 2019: ResNet-20); the 123.6 of vgg16's
/// classifier are subtracted and the half million of ours added.
TEST(TorchvisionOutputs, AgreeWithPublishedCosts) {
    const std::map<std::string, double> published = {{"vgg16", 15470 - 123.6 + 0.5},
                                                     {"vgg16:batch_norm", 15470 - 123.6 + 0.5},
                                                     {"resnet18", 1814},
                                                     {"resnet34", 3664},
                                                     {"resnet50", 4089},
                                                     {"mobilenetv2", 301},
                                                     {"densenet121", 2834},
                                                     {"resnet20", 40.6},
                                                     {"resnet56", 125.49}};
    size_t found = 0;
    for (const auto& network : torchvision_outputs()) {
        if (published.count(network.backbone) == 0) continue;
        ++found;
        EXPECT_NEAR(static_cast<double>(network.macs()) / 1e6 / published.at(network.backbone), 1, 3e-3)
            << network.backbone;
    }
    EXPECT_EQ(found, published.size());
}

std::vector<std::string> subjects() {
    std::vector<std::string> specs;
    for (const auto& entry : backbones().entries()) specs.push_back(tiny(entry));
    for (const char* variant :
         {"vgg16:width=0.0625,pools=2,batch_norm", "resnet34:width=0.0625,dilated",
          "resnet50:width=0.0625,output_stride=16", "resnet20:width=0.25,projection",
          "mobilenetv2:width=0.0625,divisor=1,output_stride=8", "mobilenetv2:width=0.35"})
        specs.emplace_back(variant);
    return specs;
}

class EveryBackboneHalved : public testing::TestWithParam<std::tuple<std::string, RankingScope>> {};

INSTANTIATE_TEST_SUITE_P(Scopes, EveryBackboneHalved,
                         testing::Combine(testing::ValuesIn(subjects()),
                                          testing::Values(RankingScope::local, RankingScope::global)),
                         [](const auto& info) {
                             auto name = std::get<0>(info.param);
                             for (char& character : name)
                                 if (std::isalnum(static_cast<unsigned char>(character)) == 0)
                                     character = '_';
                             return name +
                                    (std::get<1>(info.param) == RankingScope::local ? "_local" : "_global");
                         });

/// prune() compares with the original whose removed channels are zero.
TEST_P(EveryBackboneHalved, ComputesWhatItsZeroedSelfComputes) {
    const auto& [backbone, scope] = GetParam();
    const auto model = classifier(backbone, 5);
    // Means and variances of some data, not 0 and 1.
    model->train();
    const int64_t side = tiny_side(backbone + "/linear");
    for (uint64_t key = 0; key < 3; ++key) model->forward(noise({4, 3, side, side}, key));
    model->to(torch::kDouble);
    PruneOptions options;
    options.allocation.scope = scope;
    options.allocation.budget = {BudgetUnit::channels, 0.5};
    ModuleNetwork network(*model, forward_of(model), {noise({1, 3, side, side}, 9, torch::kDouble)});
    const auto report = prune(network, criteria().make("l2"), options);
    EXPECT_LT(report.error, 1e-9);
    EXPECT_LT(report.after.macs, report.before.macs);
    EXPECT_GE(3 * report.removed_channels, report.channels);
}

/// Of 8 channels 4 come from 4 others between zeros, and of the next 16 these 8 between zeros: what is added
/// to zeros stays.
TEST(BackbonesPruned, ChannelsBesideZerosOfAShortcutStay) {
    const auto model = classifier("resnet20:width=0.25", 5);
    ModuleNetwork network(*model, forward_of(model), {noise({1, 3, 16, 16}, 9)});
    const auto coupling = network.couple({});
    std::map<std::string, int64_t> stay;
    for (const auto& frozen : coupling.frozen)
        if (frozen.dim == 0) stay[frozen.tensor] = frozen.count;
    EXPECT_EQ(stay.count("backbone.layer1.0.conv2.weight"), 0U);
    EXPECT_EQ(stay["backbone.layer2.0.conv2.weight"], 4);
    EXPECT_EQ(stay["backbone.layer3.2.conv2.weight"], 12);
    EXPECT_EQ(stay.count("backbone.layer3.0.conv1.weight"), 0U);
}

}  // namespace
}  // namespace mtlprune::backbones_pruned_test
