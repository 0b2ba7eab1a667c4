// Our networks compute what torchvision's do on the same weights, under the same names, at the same size.
#include "tests/torchvision_outputs.h"

#include <fmt/format.h>

#include <cmath>

#include "models/model_spec.h"

namespace mtlprune::torchvision_outputs_test {
namespace {

/// The formula of tests/models/export_torchvision.py: [0, 1) at `index` of the sequence of that name.
class NamedUniform {
  public:
    explicit NamedUniform(const std::string& name) {
        for (const char character : name)
            seed_ = (seed_ ^ static_cast<unsigned char>(character)) * 0x100000001b3ULL;
    }
    double at(uint64_t index) const {
        uint64_t z = seed_ + (index + 1) * 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return std::ldexp(static_cast<double>((z ^ (z >> 31)) >> 40), -24);
    }

  private:
    uint64_t seed_ = 0xcbf29ce484222325ULL;
};

/// slope * uniform + offset
void fill_named(const torch::Tensor& tensor, const std::string& name, double slope, double offset) {
    const NamedUniform uniform(name);
    const auto values = torch::empty(tensor.sizes(), torch::kFloat);
    auto* data = values.data_ptr<float>();
    for (int64_t i = 0; i < values.numel(); ++i)
        data[i] = static_cast<float>(slope * uniform.at(static_cast<uint64_t>(i)) + offset);
    tensor.copy_(values);
}

void fill_weight(const torch::Tensor& tensor, const std::string& name) {
    if (tensor.dim() == 0) return;  // batches counted
    if (tensor.dim() > 1) {
        const double bound = std::sqrt(6.0 / static_cast<double>(tensor[0].numel()));
        return fill_named(tensor, name, 2 * bound, -bound);
    }
    const bool around_one = name.ends_with("weight") || name.ends_with("running_var");
    fill_named(tensor, name, around_one ? 1.0 : 0.4, around_one ? 0.5 : -0.2);
}

std::string classifier_name(const std::string& backbone) {
    if (backbone == "mobilenetv2") return "classifier.1";
    return backbone.starts_with("vgg16") || backbone == "densenet121" ? "classifier" : "fc";
}

template <typename Rename>
void fill_module(const torch::nn::Module& module, const Rename& rename) {
    for (const auto& item : module.named_parameters()) fill_weight(item.value(), rename(item.key()));
    for (const auto& item : module.named_buffers()) fill_weight(item.value(), rename(item.key()));
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
    fill_module(backbone, [&](const std::string& name) { return backbone.released_name(name); });
    const auto classifier = classifier_name(GetParam().backbone);
    fill_module(model->head(0), [&](const std::string& name) { return classifier + name.substr(2); });
    const auto image = torch::empty({1, 3, GetParam().side(), GetParam().side()});
    fill_named(image, "image", 2, -1);
    const auto maps = model->features(image);
    ASSERT_EQ(GetParam().values.size(), maps.size() + 2);
    for (size_t i = 0; i < maps.size(); ++i)
        expect_described(maps[i], GetParam().values.at(fmt::format("map{}", i)), fmt::format("map {}", i));
    expect_described(model->predict(0, maps), GetParam().values.at("scores"), "scores");
}

}  // namespace
}  // namespace mtlprune::torchvision_outputs_test
