#include "models/parameter_count.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

namespace mtlprune::parameter_count_test {
namespace {

int64_t elements(const std::vector<torch::Tensor>& parameters) {
    int64_t count = 0;
    for (const auto& parameter : parameters) count += parameter.numel();
    return count;
}

std::vector<ModelConfig> configs() {
    ModelConfig vgg;
    vgg.widths = {8, 8, 16, 16, 16, 16, 16, 32, 32, 32, 32, 32, 32};
    vgg.head_width = 12;
    ModelConfig uneven = vgg;
    uneven.widths = {5, 1, 7};
    uneven.pool_after = {3};
    uneven.tasks = {{"depth", TaskKind::depth, 1}};
    ModelConfig no_pool = uneven;
    no_pool.pool_after = {};
    no_pool.tasks = nyuv2_tasks(13);
    return {vgg, uneven, no_pool};
}

TEST(ParameterCount, EqualsTheModule) {
    for (const auto& config : configs()) {
        MultiTaskModel model(config);
        EXPECT_EQ(parameter_count(config), elements(model->parameters()));
        EXPECT_EQ(backbone_parameter_count(config), elements(model->backbone->parameters()));
        for (size_t t = 0; t < model->task_count(); ++t)
            EXPECT_EQ(head_parameter_count(config, t), elements(model->heads[t]->parameters()));
    }
}

/// MACs from the sizes of the tensors that really flow through the network.
TEST(ParameterCount, MacsFollowFromTheShapesOfAForwardPass) {
    torch::NoGradGuard no_grad;
    for (const auto& config : configs()) {
        MultiTaskModel model(config);
        auto x = torch::zeros({1, 3, 45, 39});
        int64_t backbone = 0;
        for (size_t l = 0; l < config.widths.size(); ++l) {
            const auto& layer = model->backbone->convolutions[l];
            x = torch::conv2d(x, layer->weight, {}, 1, 1);
            backbone += layer->weight[0].numel() * x.numel();
            if (model->backbone->pooled[l]) x = torch::max_pool2d(x, 2);
        }
        int64_t heads = 0;
        for (const auto& head : model->heads)
            for (const auto& branch : head->branches)
                for (const auto& layer : {branch->conv1, branch->conv2, branch->conv3})
                    heads += layer->weight.numel() * x.size(2) * x.size(3);
        const auto macs = conv_macs(config, 45, 39);
        EXPECT_EQ(macs.backbone, backbone);
        EXPECT_EQ(macs.heads, heads);
    }
}

}  // namespace
}  // namespace mtlprune::parameter_count_test
