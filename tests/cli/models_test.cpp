// models and export, as their users run them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include "models/model_spec.h"
#include "tests/cli/program.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

namespace mtlprune::models_test {
namespace {

using ::testing::HasSubstr;

class Models : public ::testing::Test {
  protected:
    Outcome run(const Words& arguments) { return run_program(arguments, folder_.path()); }
    std::string refusal(const Words& arguments) {
        const auto outcome = run(arguments);
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        return outcome.err;
    }

    TemporaryFolder folder_;
};

/// Backbone: 64 27 weights, 64 biases. Each of four branches: 64 64 9 + 64 64 + 64 weights, 64 + 64 + 1
/// biases.
TEST_F(Models, CostsAreThoseOfTheLayers) {
    const auto outcome = run({"models", "vgg16:channels=[64],pools=0/smallaspp:hidden=64", "--tasks", "depth",
                              "--input", "1x3x64x64"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr(" 0.17 M "));  // 166,404
    EXPECT_THAT(outcome.out, HasSubstr(" 0.68 G "));  // 64 64 (1728 + 4 41,024)
}

TEST_F(Models, BackbonesAloneGetAHead) {
    const auto outcome = run({"models", "vgg16:width=0.0625", "--input", "1x3x32x32"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("vgg16:width=0.0625/linear"));
}

TEST_F(Models, BadWordsAreNamed) {
    EXPECT_THAT(refusal({"models", "vgg61"}), HasSubstr("did you mean 'vgg16'"));
    EXPECT_THAT(refusal({"models", "vgg16", "--input", "3x8x8"}), HasSubstr("Bx3xHxW"));
    EXPECT_THAT(refusal({"models", "vgg16", "--input", "1x4x8x8"}), HasSubstr("Bx3xHxW"));
    EXPECT_THAT(refusal({"models", "vgg16", "--input", "1x3x8x8x"}), HasSubstr("1x3x8x8x"));
    EXPECT_THAT(refusal({"models", "vgg16", "--tasks", "detph"}), HasSubstr("did you mean 'depth'"));
    EXPECT_THAT(refusal({"models", "vgg16", "--tasks", "depth:no"}), HasSubstr("KIND:CHANNELS"));
    EXPECT_THAT(refusal({"models", "vgg16", "--weights", "absent.pt"}), HasSubstr("absent.pt"));
}

TEST_F(Models, WeightsAreComparedWithTheModel) {
    const std::string spec = "vgg16:channels=[4,5],pools=1/smallaspp:hidden=2";
    const auto model = make_model(spec, nyuv2_tasks(40));
    save_tensors(folder_ / "whole.pt", module_state(*model));
    const auto fits = run({"models", spec, "--weights", "whole.pt"});
    ASSERT_EQ(fits.code, 0) << fits.err;
    EXPECT_THAT(fits.out, HasSubstr("loaded: " + std::to_string(module_state(*model).size())));
    auto part = module_state(*model);
    part.erase("backbone.conv1.weight");
    save_tensors(folder_ / "part.pt", part);
    EXPECT_THAT(refusal({"models", spec, "--weights", "part.pt"}),
                HasSubstr("missing: 1 (backbone.conv1.weight)"));
    const auto partial = run({"models", spec, "--weights", "part.pt", "--partial"});
    EXPECT_EQ(partial.code, 0) << partial.err;
    EXPECT_THAT(partial.out, HasSubstr("missing: 1"));
}

/// A trained network leaves as TorchScript, and another experiment starts from its weights.
TEST_F(Models, TrainedNetworksAreExportedAndStartOthers) {
    const Words small = {"--scale", "smoke", "--data", "synthetic_rooms", "--set", "dense.iterations=2"};
    const auto trained = run(Words{"train"} + small);
    ASSERT_EQ(trained.code, 0) << trained.err;
    std::filesystem::path checkpoint;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_ / "runs"))
        if (file.path().filename() == "checkpoint.pt") checkpoint = file.path();
    ASSERT_FALSE(checkpoint.empty());
    const auto exported = run(Words{"export", checkpoint.string(), "--out", "net.pt"} + small);
    ASSERT_EQ(exported.code, 0) << exported.err;
    auto script = torch::jit::load((folder_ / "net.pt").string());
    EXPECT_FALSE(script.named_parameters().size() == 0);
    const auto again = run(Words{"train"} + small + Words{"--set", "weights=" + checkpoint.string()});
    EXPECT_EQ(again.code, 0) << again.text();
    const auto absent = run(Words{"train"} + small + Words{"--set", "weights=absent.pt"});
    EXPECT_EQ(absent.code, 2) << absent.text();
    EXPECT_THAT(absent.err, HasSubstr("absent.pt"));
}

}  // namespace
}  // namespace mtlprune::models_test
