// Networks that leave the project: every one of the registries, in C++ and in Python.
#include "models/weights/torchscript.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include <sstream>

#include "models/model_spec.h"
#include "tests/python_torchscript.h"
#include "tests/temporary_folder.h"

namespace mtlprune::torchscript_test {
namespace {

ModelPtr drawn(const std::string& spec) {
    const ModelPtr model = make_model(spec, nyuv2_tasks(5));
    model->initialise(2);
    model->eval();
    return model;
}

class EveryModelExported : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Pairs, EveryModelExported, testing::ValuesIn(tiny_model_specs()),
                         [](const auto& info) { return short_name(info.param); });

TEST_P(EveryModelExported, GivesEqualPredictionsFromItsFile) {
    const torch::NoGradGuard no_grad;
    const auto model = drawn(GetParam());
    std::stringstream file;
    to_torchscript(*model, tiny_images(GetParam(), 1)).save(file);
    auto script = torch::jit::load(file);
    EXPECT_EQ(script.named_parameters().size(), model->parameters().size());
    const auto image = tiny_images(GetParam(), 3);
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
    to_torchscript(*model, tiny_images(spec, 1));
    EXPECT_TRUE(model->is_training());
}

TEST(Torchscript, PythonComputesTheSame) {
    const torch::NoGradGuard no_grad;
    const TemporaryFolder folder;
    for (const auto& backbone : backbones().entries()) {
        const auto spec = tiny(backbone) + "/" + tiny(heads().entries().front());
        export_with_expectation(*drawn(spec), spec, folder.path(), backbone.key);
    }
    const auto agrees = python_agrees(folder.path());
    if (!agrees) GTEST_SKIP() << "Python has no PyTorch";
    EXPECT_TRUE(*agrees);
}

}  // namespace
}  // namespace mtlprune::torchscript_test
