// One sample through our transform against the same sample through the released loader.
#include <torch/serialize.h>
#include <opencv2/core.hpp>

#include "datasets/codecs/image_file.h"
#include "datasets/codecs/npy.h"
#include "datasets/pipeline/loader.h"
#include "tests/golden_folder.h"

namespace mtlprune::loader_golden_test {
namespace {

c10::Dict<c10::IValue, c10::IValue> released_tensors() {
    const std::string bytes = read_file(golden_dir() / "loader.pt");
    return torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict();
}

Sample released_sample() {
    const auto files = golden_json("loader.json")["files"][0];
    const auto folder = golden_dir() / "loader_files";
    Sample sample;
    sample.id = files[0];
    sample.image = read_colour_image(folder / files[0].get<std::string>());
    sample.labels.resize(3);
    sample.labels[0].pixels = read_label_image(folder / files[1].get<std::string>());
    sample.labels[1].pixels = read_colour_image(folder / files[2].get<std::string>());
    sample.labels[2].pixels = read_npy(folder / files[3].get<std::string>());
    return sample;
}

/// A fraction of the possible starts that rounds down to `start`.
double fraction_for(int64_t start, int64_t padded, int64_t length) {
    return (static_cast<double>(start) + 0.5) / static_cast<double>(padded - length + 1);
}

void expect_released(const std::string& name, const TransformOptions& options, const AugmentationDraw& draw) {
    const auto tensors = released_tensors();
    const auto expected = [&](const char* field) { return tensors.at(name + "." + field).toTensor(); };
    const auto found = transform_sample(released_sample(), nyuv2_tasks(40), options, draw);

    ASSERT_EQ(found.image.sizes(), expected("input").sizes());
    EXPECT_LE((found.image - expected("input")).abs().max().item<double>(), 1e-4);

    const auto labels = expected("segment_semantic").squeeze(0).to(torch::kInt64);
    EXPECT_TRUE(torch::equal(found.targets[0].mask, (labels != 255).unsqueeze(0)));
    EXPECT_TRUE(torch::equal(found.targets[0].value, labels * (labels != 255)));
    EXPECT_GT((labels != 255).sum().item<int64_t>(), 1000);

    const auto codes = expected("normal").to(torch::kFloat32);
    EXPECT_TRUE(torch::equal(found.targets[1].value, codes));
    EXPECT_TRUE(torch::equal(found.targets[1].mask, codes.amax(0, true) < 255));

    const auto depth = expected("depth_zbuffer").to(torch::kFloat32);
    EXPECT_TRUE(torch::equal(found.targets[2].value, depth));
    EXPECT_TRUE(torch::equal(found.targets[2].mask, depth > 3e-5));
}

TransformOptions released_options(int64_t size, Augmentation augmentation) {
    return {size, size, augmentation, ImageScaling::paper, NormalsTarget::paper_codes};
}

void expect_released_training(int index) {
    const auto drawn = golden_json("loader.json")["train_cases"][index];
    const AugmentationDraw draw = {std::strtod(drawn["scale_hex"].get<std::string>().c_str(), nullptr),
                                   drawn["flip"], fraction_for(drawn["start_h"], drawn["pad_h"], 321),
                                   fraction_for(drawn["start_w"], drawn["pad_w"], 321)};
    expect_released(drawn["name"], released_options(321, Augmentation::paper), draw);
}

TEST(GoldenLoader, TestTransform) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_released("test97", released_options(97, Augmentation::none), {});
}

TEST(GoldenLoader, CroppedAndMirrored) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_released_training(0);
}

TEST(GoldenLoader, PaddedAndNotMirrored) {
    MTLPRUNE_REQUIRE_GOLDEN();
    expect_released_training(1);
}

}  // namespace
}  // namespace mtlprune::loader_golden_test
