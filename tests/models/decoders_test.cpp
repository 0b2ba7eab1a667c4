// Encoder-decoder and transformer networks compute what independent versions of them do (export_decoders.py).
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "models/layers/dropout.h"
#include "models/model_spec.h"
#include "tests/models/decoder_table.h"
#include "tests/models/weight_formula.h"

namespace mtlprune::decoders_test {
namespace {

int64_t parameters_of(const torch::nn::Module& module) {
    int64_t count = 0;
    for (const auto& parameter : module.parameters()) count += parameter.numel();
    return count;
}

std::unique_ptr<Backbone> filled_backbone(const std::string& spec) {
    auto backbone = backbones().make(spec);
    fill_by_formula(*backbone, [&](const std::string& name) { return backbone->released_name(name); });
    backbone->eval();
    return backbone;
}

std::unique_ptr<Head> filled_head(const std::string& spec, const Backbone& backbone) {
    auto head = heads().make(spec, backbone.maps(), nyuv2_tasks(13)[0]);
    fill_by_formula(*head, [](const std::string& name) { return name; });
    head->eval();
    return head;
}

/// Largest difference of the samples and of the mean, relative to the largest value.
double difference(const torch::Tensor& map, const DecoderRow& row) {
    const auto flat = map.to(torch::kDouble).contiguous().view(-1);
    const auto samples = static_cast<int64_t>(row.values.size()) - 1;
    double largest = std::abs(flat.abs().mean().item<double>() - row.values.back());
    for (int64_t k = 0; k < samples; ++k)
        largest = std::max(
            largest, std::abs(flat[k * (flat.numel() - 1) / (samples - 1)].item<double>() - row.values[k]));
    return largest / flat.abs().max().item<double>();
}

void expect_map(const torch::Tensor& map, const std::string& network, const std::string& quantity) {
    const auto& row = decoder_table().at({network, quantity});
    EXPECT_EQ(fmt::format("{}", fmt::join(map.sizes().vec(), "x")), row.sizes) << network << " " << quantity;
    EXPECT_EQ(row.values.size(), 17U);
    EXPECT_LT(difference(map, row), 1e-4) << network << " " << quantity;
}

void expect_maps(const FeatureMaps& maps, const std::string& network) {
    for (size_t i = 0; i < maps.size(); ++i) expect_map(maps[i], network, std::to_string(i));
    EXPECT_EQ(decoder_table().count({network, std::to_string(maps.size())}), 0U);
}

void expect_backbone(const std::string& spec, const std::string& network) {
    const torch::NoGradGuard no_grad;
    const auto backbone = filled_backbone(spec);
    EXPECT_EQ(parameters_of(*backbone), decoder_count(network, "parameters"));
    const auto maps = backbone->forward(formula_image(64, 96));
    expect_maps(maps, network);
    const auto shapes = backbone->maps();
    ASSERT_EQ(maps.size(), shapes.size());
    for (size_t i = 0; i < maps.size(); ++i)
        EXPECT_EQ(maps[i].sizes().vec(), (std::vector<int64_t>{1, shapes[i].channels, 64 / shapes[i].stride,
                                                               96 / shapes[i].stride}));
}

void expect_head(const std::string& backbone_spec, const std::string& head_spec) {
    const torch::NoGradGuard no_grad;
    const auto backbone = filled_backbone(backbone_spec);
    const auto head = filled_head(head_spec, *backbone);
    const auto network = backbone_spec + "/" + head_spec;
    EXPECT_EQ(parameters_of(*head), decoder_count(network, "parameters"));
    expect_map(head->forward(backbone->forward(formula_image(64, 96))), network, "0");
}

TEST(Decoders, SegNet) {
    expect_backbone("segnet", "segnet");
}

TEST(Decoders, UNet) {
    expect_backbone("unet", "unet");
    expect_backbone("unet:base=8,levels=2,batch_norm=false", "unet_plain");
}

TEST(Decoders, ConvNext) {
    expect_backbone("convnext_t", "convnext_t");
}

TEST(Decoders, VitOnImagesOfItsOwnAndOfAnotherSize) {
    expect_backbone("vit_s16", "vit_s16");
    const torch::NoGradGuard no_grad;
    expect_maps(filled_backbone("vit_s16")->forward(formula_image(224, 224)), "vit_s16_224");
}

TEST(Decoders, HeadOfMtan) {
    expect_head("segnet", "mtan");
}

TEST(Decoders, HeadOfUNet) {
    expect_head("convnext_t", "unet");
}

TEST(Decoders, HeadOfDpt) {
    expect_head("vit_s16", "dpt");
}

/// Published counts of the whole classifiers and of a segmentation network, less their last layers.
TEST(Decoders, HaveThePublishedNumbersOfParameters) {
    const auto count = [](const std::string& spec) { return parameters_of(*backbones().make(spec)); };
    // torchvision's convnext_tiny; layer norm and linear layer of 1000 classes
    EXPECT_EQ(count("convnext_t"), 28'589'128 - (2 * 768 + 768 * 1000 + 1000));
    // DeiT-S; linear layer of 1000 classes
    EXPECT_EQ(count("vit_s16"), 22'050'664 - (384 * 1000 + 1000));
    // Buda et al., brain segmentation with U-Net, on PyTorch Hub; 1x1 convolution to one channel
    EXPECT_EQ(count("unet"), 7'763'041 - (32 + 1));
}

/// The single-task SegNet and MTAN for NYUv2 (13 classes, normals, depth) by MTAN's released code, which
/// shares the convolutions between attention modules; it prints the ratio with two digits.
TEST(Decoders, SegNetAndMtanHaveThePublishedNumbersOfParameters) {
    const auto model = make_model("segnet/mtan", nyuv2_tasks(13));
    int64_t prediction = 0, between = 0;
    for (const auto& parameter : model->head(0).named_parameters()) {
        if (parameter.key().starts_with("pred")) prediction += parameter.value().numel();
        if (parameter.key().find("block_att") != std::string::npos) between += parameter.value().numel();
    }
    const int64_t single = parameters_of(model->backbone()) + prediction;
    EXPECT_EQ(single, 24'981'069);
    EXPECT_NEAR(static_cast<double>(parameters_of(*model) - 2 * between) / static_cast<double>(single), 1.77,
                5e-3);
}

/// Of the head, on an image whose patches do not halve evenly.
TEST(Decoders, DptPredictsAtTheImagesSizeWhateverTheNumberOfPatches) {
    const torch::NoGradGuard no_grad;
    const auto model = make_model("vit_s16:width=0.0625,depth=4/dpt:hidden=8", nyuv2_tasks(5));
    model->initialise(1);
    const auto predictions = model->forward(torch::rand({1, 3, 48, 80}, at::detail::createCPUGenerator(1)));
    EXPECT_EQ(predictions[1].sizes().vec(), (std::vector<int64_t>{1, 3, 48, 80}));
}

/// The position code and the scales that general rules do not know.
TEST(Decoders, OwnParametersStartAsTheirPapersSay) {
    uint64_t position = 0;
    const std::shared_ptr<Backbone> vit = backbones().make("vit_s16:width=0.25,depth=4");
    vit->initialise(1, position);
    const auto parameters = vit->named_parameters();
    EXPECT_NEAR(parameters["encoder.pos_embedding"].std().item<double>(), 0.02, 1e-3);
    EXPECT_NEAR(
        parameters["encoder.layers.encoder_layer_3.self_attention.in_proj_weight"].std().item<double>(), 0.02,
        1e-3);
    EXPECT_EQ(parameters["class_token"].abs().max().item<double>(), 0.0);
    EXPECT_EQ(
        vit->named_buffers()["encoder.layers.encoder_layer_3.self_attention.head_gates"].min().item<double>(),
        1.0);
    EXPECT_EQ(parameters["encoder.ln.weight"].min().item<double>(), 1.0);
    EXPECT_EQ(position, parameters.size());
    const std::shared_ptr<Backbone> convnext =
        backbones().make("convnext_t:width=0.25,layer_scale=0.5,depths=[1,1,1,1]");
    convnext->initialise(1, position);
    EXPECT_EQ(convnext->named_parameters()["features.1.0.layer_scale"].mean().item<double>(), 0.5);
    EXPECT_NEAR(convnext->named_parameters()["features.7.0.block.3.weight"].std().item<double>(), 0.02, 1e-3);
}

/// Whole samples lose a branch, others get it enlarged: their mean over many samples is that of evaluation.
TEST(Decoders, StochasticDepthLeavesOutBranchesOfSamples) {
    const torch::NoGradGuard no_grad;
    const auto make = [](const std::string& drop) {
        const std::shared_ptr<Backbone> backbone =
            backbones().make("convnext_t:width=0.0625,depths=[1,1,1,1],layer_scale=1,drop_path=" + drop);
        uint64_t position = 0;
        backbone->initialise(1, position);
        set_dropout_keys(*backbone, 7);
        return backbone;
    };
    const auto image =
        torch::rand({1, 3, 32, 32}, at::detail::createCPUGenerator(1)).expand({16, -1, -1, -1});
    const auto plain = make("0"), dropping = make("0.5");
    const auto expected = plain->forward(image).back();
    const auto found = dropping->forward(image).back();
    EXPECT_FALSE(found.allclose(expected));
    EXPECT_FALSE(found.equal(found.slice(0, 0, 1).expand_as(found)));
    EXPECT_TRUE(dropping->forward(image).back().equal(found));
    dropping->eval();
    EXPECT_TRUE(dropping->forward(image).back().equal(expected));
}

TEST(Decoders, UNetNamesTheImagesThatItCanHalve) {
    const auto backbone = backbones().make("unet:base=4,levels=3");
    EXPECT_THROW(backbone->forward(torch::zeros({1, 3, 24, 28})), Error);
    EXPECT_EQ(backbone->forward(torch::zeros({1, 3, 24, 32})).back().size(3), 32);
}

std::string refusal(const std::string& spec, const std::vector<TaskSpec>& tasks = nyuv2_tasks(5)) {
    try {
        make_model(spec, tasks);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Decoders, OptionsThatCannotBeAreNamed) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"segnet:width=0/mtan", "backbone: width: expected a number above 0, found 0"},
        {"unet:levels=7/unet", "backbone unet: levels: expected 1..6, found 7"},
        {"unet:base=0/unet", "backbone unet: base: expected at least 1, found 0"},
        {"unet:base=4/unet:hidden=0", "head unet: hidden: expected at least 1, found 0"},
        {"convnext_t:depths=[1,2]/unet", "backbone convnext_t: depths: expected four numbers of at least 1"},
        {"convnext_t:drop_path=1/unet", "backbone convnext_t: drop_path: expected a number in [0, 1)"},
        {"vit_s16:depth=6/dpt", "backbone vit_s16: depth: expected a multiple of 4, found 6"},
        {"vit_s16:heads=7/dpt", "backbone vit_s16: heads: expected a divisor of the 384 channels, found 7"},
        {"vit_s16:image=100/dpt", "backbone vit_s16: image: expected a multiple of 16, found 100"},
        {"vit_s16:width=0.0625/dpt:hidden=1", "head dpt: hidden: expected at least 2, found 1"},
        {"unet:base=4/mtan", "head mtan: maps: expected those of the backbone segnet, found 5 others"},
        {"vit_s16:width=0.0625/unet", "head unet: maps: expected maps of at least two sizes, found 1"},
        {"convnext_t:width=0.0625/dpt", "head dpt: maps: expected four of one size, found"},
    };
    for (const auto& [spec, expected] : cases)
        EXPECT_NE(refusal(spec).find(expected), std::string::npos) << refusal(spec);
    const std::vector<TaskSpec> classes = {{"scene", TaskKind::classification, 4}};
    for (const std::string spec :
         {"segnet:width=0.0625/mtan", "unet:base=4/unet", "vit_s16:width=0.0625/dpt"})
        EXPECT_NE(refusal(spec, classes).find(": scene: expected a task with a prediction per pixel"),
                  std::string::npos)
            << refusal(spec, classes);
}

}  // namespace
}  // namespace mtlprune::decoders_test
