// What backbones promise beside their outputs: maps, sizes, options, first weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cctype>
#include <cmath>

#include "base/error.h"
#include "models/model_spec.h"
#include "tests/random_batch.h"
#include "tests/tiny_models.h"

namespace mtlprune::backbones_test {
namespace {

using ::testing::HasSubstr;

int64_t parameter_count(const torch::nn::Module& module) {
    int64_t count = 0;
    for (const auto& parameter : module.parameters()) count += parameter.numel();
    return count;
}

std::shared_ptr<Backbone> drawn(const std::string& spec, uint64_t seed) {
    std::shared_ptr<Backbone> backbone = backbones().make(spec);
    uint64_t position = 0;
    backbone->initialise(seed, position);
    backbone->eval();
    return backbone;
}

std::string refusal(const std::string& backbone) {
    try {
        backbones().make(backbone);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

class EveryBackbone : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(All, EveryBackbone, testing::ValuesIn([] {
                             std::vector<std::string> specs;
                             for (const auto& entry : backbones().entries()) specs.push_back(tiny(entry));
                             for (const char* variant :
                                  {"vgg16:width=0.0625,batch_norm", "resnet18:width=0.0625,output_stride=16",
                                   "resnet34:width=0.0625,dilated", "resnet50:width=0.0625,dilated",
                                   "resnet20:width=0.25,projection",
                                   "mobilenetv2:width=0.0625,divisor=1,output_stride=8",
                                   "mobilenetv2:width=0.35", "lenet5:width=0.1,size=28,input_channels=1"})
                                 specs.emplace_back(variant);
                             return specs;
                         }()),
                         [](const auto& info) {
                             auto name = info.param;
                             for (char& character : name)
                                 if (std::isalnum(static_cast<unsigned char>(character)) == 0)
                                     character = '_';
                             return name;
                         });

TEST_P(EveryBackbone, GivesTheMapsThatItAnnounces) {
    const torch::NoGradGuard no_grad;
    const auto backbone = backbones().make(GetParam());
    backbone->eval();
    const auto announced = backbone->maps();
    int64_t largest = 1;
    for (const auto& map : announced) largest = std::max(largest, map.stride);
    const int64_t side = GetParam().find("size=") != std::string::npos ? largest : 2 * largest;
    const auto maps = backbone->forward(torch::zeros({2, 3, side, side}));
    ASSERT_EQ(maps.size(), announced.size());
    // Max-pooling rounds up there, as in the released code.
    const int64_t more = GetParam().starts_with("deeplab") ? 1 : 0;
    for (size_t i = 0; i < maps.size(); ++i) {
        const int64_t map_side = side / announced[i].stride + more;
        EXPECT_EQ(maps[i].sizes().vec(),
                  (std::vector<int64_t>{2, announced[i].channels, map_side, map_side}));
    }
}

TEST_P(EveryBackbone, DoesNotChangeItsImageOrEarlierMaps) {
    const torch::NoGradGuard no_grad;
    const auto backbone = drawn(GetParam(), 1);
    int64_t side = 16;
    for (const auto& map : backbone->maps()) side = std::max(side, map.stride);
    const auto image = noise({1, 3, side, side}, 4), before = image.clone();
    const auto maps = backbone->forward(image);
    std::vector<torch::Tensor> values;
    for (const auto& map : maps) values.push_back(map.clone());
    const auto again = backbone->forward(image);
    EXPECT_TRUE(image.equal(before));
    for (size_t i = 0; i < maps.size(); ++i) {
        EXPECT_TRUE(maps[i].equal(values[i]));
        EXPECT_TRUE(maps[i].equal(again[i]));
    }
}

TEST(Backbones, HaveThePublishedNumbersOfParameters) {
    const std::vector<TaskSpec> ten = {{"digit", TaskKind::classification, 10}};
    // Han et al. 2015, Table 1: 431 thousand; 20 25 + 20 + 50 500 + 50 + 500 800 + 500 + 10 500 + 10.
    EXPECT_EQ(parameter_count(*make_model("lenet5:input_channels=1/linear", ten)), 431'080);
    // Han et al. 2015, Table 1: 267 thousand; 784 300 + 300 + 300 100 + 100 + 100 10 + 10.
    EXPECT_EQ(parameter_count(*make_model("lenet300:input_channels=1/linear", ten)), 266'610);
    EXPECT_EQ(parameter_count(*make_model("mlp:hidden=[300,100],input_channels=1/linear", ten)), 266'610);
    // The published counts of vgg16 (138,357,544) and vgg16_bn (138,365,992) without the classifier's
    // 4096 25088 + 4096 + 4096 4096 + 4096 + 1000 4096 + 1000.
    EXPECT_EQ(parameter_count(*backbones().make("vgg16")), 14'714'688);
    EXPECT_EQ(parameter_count(*backbones().make("vgg16:batch_norm")), 14'723'136);
    // Two projections more than the published 269,722: 16 32 + 2 32 and 32 64 + 2 64.
    EXPECT_EQ(parameter_count(*make_model("resnet20:projection/linear", ten)), 269'722 + 576 + 2'176);
}

/// Every position that the strided network computes, the dilated one computes too: dilations skip what
/// strides had left out, zeros at the border included.
void expect_dilation_to_agree(const std::string& strided, const std::string& dilated) {
    const torch::NoGradGuard no_grad;
    const auto a = drawn(strided, 7), b = drawn(dilated, 7);
    a->to(torch::kDouble);
    b->to(torch::kDouble);
    const auto image = noise({1, 3, 64, 64}, 5, torch::kDouble);
    const auto few = a->forward(image), many = b->forward(image);
    ASSERT_EQ(few.size(), many.size());
    for (size_t i = 0; i < few.size(); ++i) {
        const int64_t step = a->maps()[i].stride / b->maps()[i].stride;
        const auto found = many[i].slice(2, 0, c10::nullopt, step).slice(3, 0, c10::nullopt, step);
        EXPECT_LT(((found - few[i]).abs().max() / few[i].abs().max()).item<double>(), 1e-12)
            << dilated << " map " << i;
    }
    EXPECT_GT(a->maps().back().stride, b->maps().back().stride);
}

TEST(Backbones, DilatedOnesComputeWhatStridedOnesDoAndMore) {
    expect_dilation_to_agree("resnet18:width=0.125", "resnet18:width=0.125,output_stride=16");
    expect_dilation_to_agree("resnet34:width=0.125", "resnet34:width=0.125,dilated");
    expect_dilation_to_agree("resnet50:width=0.125", "resnet50:width=0.125,dilated");
    expect_dilation_to_agree("mobilenetv2:width=0.35", "mobilenetv2:width=0.35,output_stride=16");
    expect_dilation_to_agree("mobilenetv2:width=0.35", "mobilenetv2:width=0.35,output_stride=8");
}

/// torchvision's, of width_mult 0.35, 0.75 and 1.4: _make_divisible by hand.
TEST(Backbones, MobileNetsChannelsAreMultiplesOfEight) {
    const auto channels = [](const std::string& spec) {
        std::vector<int64_t> channels;
        for (const auto& map : backbones().make(spec)->maps()) channels.push_back(map.channels);
        return channels;
    };
    EXPECT_EQ(channels("mobilenetv2"), (std::vector<int64_t>{24, 32, 96, 1280}));
    EXPECT_EQ(channels("mobilenetv2:width=0.35"), (std::vector<int64_t>{8, 16, 32, 1280}));
    EXPECT_EQ(channels("mobilenetv2:width=0.75"), (std::vector<int64_t>{24, 24, 72, 1280}));
    EXPECT_EQ(channels("mobilenetv2:width=1.4"), (std::vector<int64_t>{32, 48, 136, 1792}));
    EXPECT_EQ(channels("mobilenetv2:width=0.0625,divisor=1"), (std::vector<int64_t>{2, 2, 6, 1280}));
}

TEST(Backbones, ReleasedNamesOfAdaShareAndTorchvision) {
    const auto deeplab = backbones().make("deeplab_resnet34:width=0.1");
    EXPECT_EQ(deeplab->released_name("conv1.weight"), "conv1.weight");
    EXPECT_EQ(deeplab->released_name("layer1.0.conv2.weight"), "blocks.0.0.conv2.weight");
    EXPECT_EQ(deeplab->released_name("layer3.5.bn1.running_mean"), "blocks.2.5.bn1.running_mean");
    EXPECT_EQ(deeplab->released_name("layer4.0.downsample.1.bias"), "ds.3.1.bias");
    const auto plain = backbones().make("vgg16:width=0.1"),
               norms = backbones().make("vgg16:width=0.1,batch_norm");
    EXPECT_EQ(plain->released_name("conv13.bias"), "features.28.bias");
    EXPECT_EQ(norms->released_name("conv13.weight"), "features.40.weight");
    EXPECT_EQ(norms->released_name("norm13.running_var"), "features.41.running_var");
    EXPECT_THAT([&] { plain->released_name("norm1.weight"); }, testing::Throws<Error>());
}

/// N(0, 0.01) as in the released code of AdaShare and DiSparse.
TEST(Backbones, DeepLabIsDrawnNarrowly) {
    const auto parameters = drawn("deeplab_resnet34:width=0.5", 3)->named_parameters();
    for (const char* name : {"layer1.0.conv1.weight", "layer4.2.conv2.weight"}) {
        const auto weight = parameters[name];
        EXPECT_NEAR(weight.std().item<double>(), 0.01, 4 * 0.01 / std::sqrt(2.0 * weight.numel())) << name;
        EXPECT_NEAR(weight.mean().item<double>(), 0, 4 * 0.01 / std::sqrt(1.0 * weight.numel())) << name;
    }
    EXPECT_TRUE(parameters["bn1.weight"].eq(1).all().item<bool>());
}

TEST(Backbones, SayWhatTheyDoNotTake) {
    EXPECT_THAT(refusal("resnet50:output_stride=4"), HasSubstr("8, 16 or 32"));
    EXPECT_THAT(refusal("resnet50:output_stride=16,dilated"), HasSubstr("8, which dilated means"));
    EXPECT_EQ(refusal("resnet50:width=0.1,output_stride=8,dilated"), "no error");
    EXPECT_THAT(refusal("resnet18:width=0"), HasSubstr("above 0"));
    EXPECT_THAT(refusal("densenet121:width=-1"), HasSubstr("above 0"));
    EXPECT_THAT(refusal("densenet121:blocks=[]"), HasSubstr("at least one block"));
    EXPECT_THAT(refusal("mobilenetv2:output_stride=12"), HasSubstr("8, 16 or 32"));
    EXPECT_THAT(refusal("mobilenetv2:divisor=0"), HasSubstr("at least 1"));
    EXPECT_THAT(refusal("lenet5:size=15"), HasSubstr("at least 16"));
    EXPECT_THAT(refusal("lenet300:input_channels=4"), HasSubstr("1..3"));
    EXPECT_THAT(refusal("mlp:hidden=[]"), HasSubstr("at least one layer"));
    EXPECT_THAT(
        [] {
            backbones().make("mlp")->forward(torch::zeros({1, 3, 28, 32}));
        },
        testing::ThrowsMessage<Error>(HasSubstr("28 x 28")));
}

}  // namespace
}  // namespace mtlprune::backbones_test
