// Our networks compute what torchvision's do on the same weights, under the same names, at the same size.
#include "tests/torchvision_outputs.h"

#include <fmt/format.h>

#include "models/model_spec.h"
#include "tests/models/weight_formula.h"

namespace mtlprune::torchvision_outputs_test {
namespace {

std::string classifier_name(const std::string& backbone) {
    if (backbone == "mobilenetv2") return "classifier.1";
    return backbone.starts_with("vgg16") || backbone == "densenet121" ? "classifier" : "fc";
}

/// As the export describes it: mean, root of the mean square, samples; differences are relative to the root.
void expect_described(const torch::Tensor& found, const std::vector<double>& expected,
                      const std::string& what) {
    const auto flat = found.contiguous().flatten().to(torch::kDouble);
    const auto samples = static_cast<int64_t>(expected.size()) - 2;
    const double tolerance = 1e-4 * expected.at(1);
    EXPECT_NEAR(flat.mean().item<double>(), expected[0], tolerance) << what;
    EXPECT_NEAR(flat.square().mean().sqrt().item<double>(), expected[1], tolerance) << what;
    for (int64_t i = 0; i < samples; ++i)
        EXPECT_NEAR(flat[i * flat.numel() / samples].item<double>(), expected[i + 2], tolerance)
            << what << " sample " << i;
}

class LikeTorchvision : public testing::TestWithParam<TorchvisionOutputs> {
  protected:
    std::shared_ptr<MultiTaskModel> make() const {
        return make_model(GetParam().backbone + "/linear",
                          {{"scores", TaskKind::classification, GetParam().classes()}});
    }
};

INSTANTIATE_TEST_SUITE_P(Networks, LikeTorchvision, testing::ValuesIn(torchvision_outputs()),
                         torchvision_test_name);

TEST_P(LikeTorchvision, HasItsParameters) {
    int64_t count = 0;
    for (const auto& parameter : make()->parameters()) count += parameter.numel();
    EXPECT_EQ(count, GetParam().parameters());
}

TEST_P(LikeTorchvision, ComputesItsMapsAndScores) {
    const torch::NoGradGuard no_grad;
    const auto model = make();
    model->eval();
    auto& backbone = model->backbone();
    fill_by_formula(backbone, [&](const std::string& name) { return backbone.released_name(name); });
    const auto classifier = classifier_name(GetParam().backbone);
    fill_by_formula(model->head(0), [&](const std::string& name) { return classifier + name.substr(2); });
    const auto image = formula_image(GetParam().side(), GetParam().side());
    const auto maps = model->features(image);
    ASSERT_EQ(GetParam().values.size(), maps.size() + 2);
    for (size_t i = 0; i < maps.size(); ++i)
        expect_described(maps[i], GetParam().values.at(fmt::format("map{}", i)), fmt::format("map {}", i));
    expect_described(model->predict(0, maps), GetParam().values.at("scores"), "scores");
}

}  // namespace
}  // namespace mtlprune::torchvision_outputs_test
