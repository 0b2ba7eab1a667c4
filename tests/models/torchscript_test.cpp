// Networks that leave the project: every one of the registries, as it is and pruned, in C++ and in Python.
#include "models/weights/torchscript.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/script.h>

#include <cstdlib>
#include <sstream>

#include "models/model_spec.h"
#include "tests/temporary_folder.h"
#include "tests/tiny_models.h"

namespace mtlprune::torchscript_test {
namespace {

ModelPtr drawn(const std::string& spec) {
    const ModelPtr model = make_model(spec, nyuv2_tasks(5));
    model->initialise(2);
    model->eval();
    return model;
}

torch::Tensor image_of(const std::string& spec, int64_t batch) {
    const int64_t side = tiny_side(spec);
    return torch::rand({batch, 3, side, side}, at::detail::createCPUGenerator(4));
}

class EveryModelExported : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Pairs, EveryModelExported, testing::ValuesIn(tiny_model_specs()),
                         [](const auto& info) { return short_name(info.param); });

TEST_P(EveryModelExported, GivesEqualPredictionsFromItsFile) {
    const torch::NoGradGuard no_grad;
    const auto model = drawn(GetParam());
    std::stringstream file;
    to_torchscript(*model, image_of(GetParam(), 1)).save(file);
    auto script = torch::jit::load(file);
    EXPECT_EQ(script.named_parameters().size(), model->parameters().size());
    const auto image = image_of(GetParam(), 3);
    const auto expected = model->forward(image);
    const auto found = script.forward({image}).toTuple()->elements();
    ASSERT_EQ(found.size(), expected.size());
    for (size_t t = 0; t < expected.size(); ++t)
        EXPECT_LT((found[t].toTensor() - expected[t]).abs().max().item<double>(),
                  1e-4 * expected[t].abs().max().item<double>());
}

TEST(Torchscript, TrainingModeIsKept) {
    const std::string spec = "vgg16:width=0.0625,pools=2/smallaspp:hidden=6";
    const auto model = drawn(spec);
    model->train();
    to_torchscript(*model, image_of(spec, 1));
    EXPECT_TRUE(model->is_training());
}

TEST(Torchscript, PythonComputesTheSame) {
    const torch::NoGradGuard no_grad;
    const TemporaryFolder folder;
    for (const auto& backbone : backbones().entries()) {
        const auto spec = tiny(backbone) + "/" + tiny(heads().entries().front());
        const auto model = drawn(spec);
        const auto path = folder / (backbone.key + ".pt");
        to_torchscript(*model, image_of(spec, 1)).save(path.string());
        torch::jit::Module expected("Expected");
        expected.register_buffer("image", image_of(spec, 2));
        const auto predictions = model->forward(image_of(spec, 2));
        for (size_t t = 0; t < predictions.size(); ++t)
            expected.register_buffer(fmt::format("prediction{}", t), predictions[t]);
        expected.save((folder / (backbone.key + ".expected.pt")).string());
    }
    const std::string script = std::string(MTLPRUNE_SOURCE_DIR) + "/tests/models/run_torchscript.py";
    const int status =
        std::system(("/usr/bin/python3 '" + script + "' '" + folder.path().string() + "'").c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "Python has no PyTorch";
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace mtlprune::torchscript_test
