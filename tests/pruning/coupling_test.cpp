#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "pruning/coupling/groups.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::coupling_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Member* find(const Group& group, const std::string& tensor, int64_t dim) {
    for (const auto& member : group.members)
        if (member.tensor == tensor && member.dim == dim) return &member;
    return nullptr;
}

const Group& named(const std::vector<Group>& groups, const std::string& name) {
    for (const auto& group : groups)
        if (group.name == name) return group;
    throw std::runtime_error("no group " + name);
}

std::vector<int64_t> iota(int64_t count, int64_t first = 0) {
    std::vector<int64_t> values(count);
    std::iota(values.begin(), values.end(), first);
    return values;
}

TEST(Coupling, MultiTaskBackboneHasThirteenGroupsInOrder) {
    auto model = toy::multi_task_model();
    const auto groups = toy::couple(model).groups;
    const auto selected = select_groups(groups, "backbone\\..*");
    ASSERT_EQ(selected.size(), 13u);
    for (size_t l = 0; l < 13; ++l) {
        const auto& group = groups[selected[l]];
        const auto name = "backbone.conv" + std::to_string(l + 1);
        EXPECT_EQ(selected[l], l);
        EXPECT_EQ(group.name, name);
        EXPECT_EQ(group.channels, toy::small_config().channels[l]);
        EXPECT_FALSE(group.frozen) << group.reason;
        EXPECT_THAT(group.outputs, ElementsAre(0, 1, 2));
        for (const auto& member : group.members) {
            EXPECT_EQ(member.indices, iota(group.channels)) << member.tensor;
            EXPECT_EQ(member.per_channel, 1);
            EXPECT_FALSE(member.is_buffer);
        }
        ASSERT_EQ(group.members.size(), l < 12 ? 3u : 14u);
        EXPECT_EQ(group.members[0].tensor, name + ".weight");
        EXPECT_EQ(group.members[1].tensor, name + ".bias");
        EXPECT_EQ(group.members[0].role, Role::output);
        EXPECT_EQ(group.members[1].role, Role::output);
        if (l == 12) continue;
        const auto* consumer = find(group, "backbone.conv" + std::to_string(l + 2) + ".weight", 1);
        ASSERT_NE(consumer, nullptr);
        EXPECT_EQ(consumer->role, Role::input);
    }
}

TEST(Coupling, LastBackboneGroupFeedsTheTwelveBranches) {
    auto model = toy::multi_task_model();
    const auto groups = toy::couple(model).groups;
    const auto& last = named(groups, "backbone.conv13");
    for (const auto* task : {"segmentation", "normals", "depth"}) {
        SCOPED_TRACE(task);
        ASSERT_TRUE(model->named_parameters().contains(std::string("heads.") + task + ".rate1.conv1.weight"));
        for (const auto* rate : {"rate1", "rate2", "rate4", "rate6"}) {
            const auto* member = find(last, std::string("heads.") + task + "." + rate + ".conv1.weight", 1);
            ASSERT_NE(member, nullptr);
            EXPECT_EQ(member->role, Role::input);
        }
    }
}

TEST(Coupling, HeadsFormTheirOwnGroupsAndPredictionsAreFrozen) {
    const auto groups = toy::couple(toy::multi_task_model()).groups;
    EXPECT_EQ(groups.size(), 13u + 24u + 2u);  // the only channel of the depth prediction is no group
    EXPECT_EQ(select_groups(groups, "heads\\..*\\.conv[12]").size(), 24u);
    const auto& inner = named(groups, "heads.normals.rate2.conv1");
    EXPECT_EQ(inner.channels, 8);
    EXPECT_THAT(inner.outputs, ElementsAre(1));
    const auto& prediction = named(groups, "heads.normals.rate1.conv3");
    EXPECT_TRUE(prediction.frozen);
    EXPECT_EQ(prediction.reason, "network output 1");
    EXPECT_NE(find(prediction, "heads.normals.rate6.conv3.weight", 0), nullptr);
    EXPECT_THROW(select_groups(groups, "heads\\..*\\.conv3"), Error);
}

TEST(Coupling, TracingRestoresModesAndLeavesGradientsAlone) {
    auto model = toy::multi_task_model();
    model->train();
    model->backbone().eval();
    toy::couple(model);
    EXPECT_TRUE(model->is_training());
    EXPECT_FALSE(model->backbone().is_training());
    EXPECT_TRUE(aspp(*model, 0).branches[0]->is_training());
    EXPECT_TRUE(torch::GradMode::is_enabled());
    for (const auto& parameter : model->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(Coupling, ResidualSumJoinsBothProducers) {
    const auto groups = toy::couple(toy::residual()).groups;
    ASSERT_EQ(groups.size(), 2u);
    EXPECT_EQ(groups[0].name, "first");
    EXPECT_EQ(groups[0].channels, 6);
    EXPECT_FALSE(groups[0].frozen);
    for (const auto* tensor : {"first.weight", "first.bias", "second.weight", "second.bias"}) {
        ASSERT_NE(find(groups[0], tensor, 0), nullptr) << tensor;
        EXPECT_EQ(find(groups[0], tensor, 0)->role, Role::output);
    }
    for (const auto* tensor : {"second.weight", "last.weight"})
        ASSERT_NE(find(groups[0], tensor, 1), nullptr) << tensor;
    EXPECT_TRUE(groups[1].frozen);
}

TEST(Coupling, ConcatenationKeepsGroupsApartAtTheirOffsets) {
    const auto groups = toy::couple(toy::concatenation()).groups;
    ASSERT_EQ(groups.size(), 3u);
    EXPECT_EQ(find(groups[0], "last.weight", 1)->indices, iota(4));
    EXPECT_EQ(find(groups[1], "last.weight", 1)->indices, iota(5, 4));
    EXPECT_EQ(groups[1].name, "right");
}

TEST(Coupling, FlattenGivesEachChannelABlockOfFeatures) {
    const auto groups = toy::couple(toy::classifier()).groups;
    const auto& conv = named(groups, "conv");
    EXPECT_EQ(conv.channels, 5);
    const auto* features = find(conv, "hidden.weight", 1);
    ASSERT_NE(features, nullptr);
    EXPECT_EQ(features->per_channel, 32);  // multiplier 2 times 4 x 4 positions
    EXPECT_EQ(std::vector<int64_t>(features->channel(2).begin(), features->channel(2).end()), iota(32, 64));
    EXPECT_EQ(find(conv, "depth.weight", 0)->per_channel, 2);
    EXPECT_EQ(find(conv, "depth.weight", 1), nullptr);
    EXPECT_EQ(find(conv, "norm.weight", 0)->role, Role::channelwise);
    EXPECT_TRUE(find(conv, "norm.running_var", 0)->is_buffer);
    EXPECT_EQ(named(groups, "hidden").channels, 7);
}

TEST(Coupling, GroupedConvolutionLosesEqualPositionsOfAllItsGroups) {
    const auto groups = toy::couple(toy::assorted()).groups;
    const auto& conv = named(groups, "conv");
    EXPECT_EQ(conv.channels, 4);
    EXPECT_THAT(find(conv, "conv.weight", 0)->indices, ElementsAre(0, 4, 1, 5, 2, 6, 3, 7));
    EXPECT_EQ(find(conv, "grouped.weight", 1)->indices, iota(4));
    const auto& grouped = named(groups, "grouped");
    EXPECT_EQ(grouped.channels, 3);
    EXPECT_THAT(find(grouped, "up.weight", 0)->indices, ElementsAre(0, 3, 1, 4, 2, 5));
    const auto& up = named(groups, "up");
    EXPECT_EQ(find(up, "up.weight", 1)->role, Role::output);
    EXPECT_EQ(find(up, "gate", 1)->role, Role::channelwise);
    EXPECT_EQ(find(up, "table", 1)->role, Role::input);
}

TEST(Coupling, UnknownOperatorFreezesAndSaysWhy) {
    const auto group = toy::group_under([](const torch::Tensor& x) { return torch::renorm(x, 2, 1, 1); });
    EXPECT_EQ(group.name, "conv");
    EXPECT_TRUE(group.frozen);
    EXPECT_EQ(group.reason, "aten::renorm at conv: no coupling rule for this operator");
}

TEST(Coupling, OperatorsThatMixChannelsFreezeThoseThatDoNotPass) {
    const auto softmax = toy::group_under([](const torch::Tensor& x) { return torch::softmax(x, 1); });
    EXPECT_TRUE(softmax.frozen);
    EXPECT_THAT(softmax.reason, HasSubstr("aten::softmax at conv"));
    EXPECT_FALSE(toy::group_under([](const torch::Tensor& x) { return torch::softmax(x, 3); }).frozen);
    EXPECT_TRUE(toy::group_under([](const torch::Tensor& x) { return x - x.mean(1, true); }).frozen);
    EXPECT_FALSE(toy::group_under([](const torch::Tensor& x) { return x - x.mean({2, 3}, true); }).frozen);
    EXPECT_FALSE(toy::group_under([](const torch::Tensor& x) { return x * x.sum(1, true); }).frozen);
    EXPECT_FALSE(
        toy::group_under([](const torch::Tensor& x) { return torch::leaky_relu(x) * 0.5 + 1; }).frozen);
}

TEST(Coupling, ConstantsOfFullWidthFreeze) {
    const auto wide = toy::uniform({4, 1, 1}, 9), flat = toy::uniform({1, 8, 8}, 9);
    const auto group = toy::group_under([=](const torch::Tensor& x) { return x + wide; });
    EXPECT_TRUE(group.frozen);
    EXPECT_THAT(group.reason, HasSubstr("aten::add at conv: combined with a value that cannot shrink"));
    EXPECT_FALSE(toy::group_under([=](const torch::Tensor& x) { return x + flat; }).frozen);
}

TEST(Coupling, ViewsThatSplitChannelsKeepTheOuterCount) {
    const auto split = toy::group_under([](const torch::Tensor& x) {
        return x.view({1, 2, 2, 8, 8}).permute({0, 2, 1, 3, 4}).reshape({1, 4, 8, 8});
    });
    EXPECT_FALSE(split.frozen) << split.reason;
    EXPECT_EQ(split.channels, 2);  // channel shuffle: positions (q, i) stay together over q
    EXPECT_THAT(find(split, "conv.weight", 0)->indices, ElementsAre(0, 2, 1, 3));
    EXPECT_THAT(find(split, "last.weight", 1)->indices, ElementsAre(0, 1, 2, 3));
    const auto round_trip = toy::group_under([](const torch::Tensor& x) {
        return x.flatten(1).view({1, 4, 8, 8});
    });
    EXPECT_EQ(round_trip.channels, 4);
}

TEST(Coupling, OneWeightUsedTwiceIsOneTensor) {
    toy::Network n;
    auto first = n.convolution("first", 3, 4), shared = n.convolution("shared", 4, 4),
         last = n.convolution("last", 4, 2);
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        return {last(shared(torch::relu(shared(first(in[0])))))};
    });
    const auto groups = toy::couple(n).groups;
    EXPECT_EQ(groups[0].name, "first");
    EXPECT_NE(find(groups[0], "shared.weight", 0), nullptr);
    EXPECT_NE(find(groups[0], "shared.weight", 1), nullptr);
    EXPECT_NE(find(groups[0], "last.weight", 1), nullptr);
}

TEST(Coupling, WeightsMayBeComputedFromStoredTensors) {
    toy::Network n;
    auto conv = n.convolution("conv", 3, 4), last = n.convolution("last", 4, 2);
    auto mask = n.module->register_parameter("mask", torch::zeros({4, 1, 1, 1}));
    n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
        return {last(torch::relu(at::conv2d(in[0], conv->weight * mask, conv->bias, 1, 1)))};
    });
    const auto groups = toy::couple(n).groups;
    EXPECT_EQ(groups[0].name, "conv");
    EXPECT_FALSE(groups[0].frozen) << groups[0].reason;
    EXPECT_EQ(find(groups[0], "conv.weight", 0)->role, Role::output);
    EXPECT_NE(find(groups[0], "mask", 0), nullptr);
    EXPECT_NE(find(groups[0], "last.weight", 1), nullptr);
}

TEST(Coupling, AnOutputMayShrinkWhenAsked) {
    const auto network = toy::residual();
    CouplingOptions options;
    options.shrinkable_outputs = {0};
    const auto groups = couple(*network.module, network.forward, {toy::image(1)}, options).groups;
    EXPECT_FALSE(named(groups, "last").frozen);
    options.shrinkable_outputs = {1};
    EXPECT_THROW(couple(*network.module, network.forward, {toy::image(1)}, options), Error);
}

TEST(Coupling, AForwardPassThatFailsIsAnErrorAndTracingGoesOn) {
    const auto network = toy::residual();
    EXPECT_THROW(couple(*network.module, network.forward, {toy::uniform({1, 4, 8, 8}, 1)}), Error);
    EXPECT_EQ(toy::couple(network).groups.size(), 2u);
}

}  // namespace
}  // namespace mtlprune::coupling_test
