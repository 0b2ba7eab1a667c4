// What the heads for any backbone compute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "models/heads/head.h"
#include "tests/random_batch.h"

namespace mtlprune::heads_test {
namespace {

const std::vector<MapShape> kTwoMaps = {{5, 2}, {4, 4}};
const TaskSpec kClasses = {"kind", TaskKind::classification, 3}, kDepth = {"depth", TaskKind::depth, 1};

std::shared_ptr<Head> head(const std::string& spec, const TaskSpec& task) {
    std::shared_ptr<Head> made = heads().make(spec, kTwoMaps, task);
    uint64_t position = 0;
    made->initialise(2, position);
    made->eval();
    return made;
}

const FeatureMaps& two_maps() {
    static const FeatureMaps maps = {noise({2, 5, 12, 12}, 1), noise({2, 4, 6, 6}, 2)};
    return maps;
}

TEST(LinearHead, IsAMatrixOnTheMeanForClasses) {
    const torch::NoGradGuard no_grad;
    const auto linear = head("linear", kClasses);
    const auto parameters = linear->named_parameters();
    const auto scores = linear->forward(two_maps());
    const auto mean = two_maps()[1].flatten(2).sum(2) / 36;
    const auto expected = torch::mm(mean, parameters["fc.weight"].t()) + parameters["fc.bias"];
    EXPECT_EQ(scores.sizes().vec(), (std::vector<int64_t>{2, 3}));
    EXPECT_TRUE(torch::allclose(scores, expected, 1e-5, 1e-6));
}

TEST(LinearHead, IsAMatrixAtEveryPixelForMaps) {
    const torch::NoGradGuard no_grad;
    const auto linear = head("linear", kDepth);
    const auto parameters = linear->named_parameters();
    const auto depth = linear->forward(two_maps());
    const auto expected =
        (two_maps()[1] * parameters["conv.weight"]).sum(1, /*keepdim=*/true) + parameters["conv.bias"];
    EXPECT_TRUE(torch::allclose(depth, expected, 1e-5, 1e-6));
}

/// Rates 6, 12, 18 and 24, each 9 4 7 + 7 and 7 7 + 7 and 7 3 + 3 parameters.
TEST(AsppHead, IsTheSumOfItsBranches) {
    const torch::NoGradGuard no_grad;
    const auto aspp = head("aspp:hidden=7", {"normals", TaskKind::normals, 3});
    int64_t count = 0;
    for (const auto& parameter : aspp->parameters()) count += parameter.numel();
    EXPECT_EQ(count, 4 * (9 * 4 * 7 + 7 + 7 * 7 + 7 + 7 * 3 + 3));
    const auto sum = aspp->forward(two_maps());
    auto parameters = aspp->named_parameters();
    auto expected = torch::zeros({2, 3, 6, 6});
    for (const int64_t rate : {6, 12, 18, 24}) {
        const auto of = [&](const std::string& name) {
            return parameters["rate" + std::to_string(rate) + "." + name];
        };
        auto x = torch::conv2d(two_maps()[1], of("conv1.weight"), of("conv1.bias"), 1, rate, rate).relu();
        x = torch::conv2d(x, of("conv2.weight"), of("conv2.bias")).relu();
        expected += torch::conv2d(x, of("conv3.weight"), of("conv3.bias"));
    }
    EXPECT_TRUE(torch::allclose(sum, expected, 1e-4, 1e-5));
}

TEST(AsppHead, SaysWhatItDoesNotTake) {
    const auto make = [](const std::string& spec) { return [spec] { head(spec, kDepth); }; };
    EXPECT_THAT(make("aspp:rates=[]"), testing::ThrowsMessage<Error>(testing::HasSubstr("at least one")));
    EXPECT_THAT(make("aspp:rates=[6,0]"), testing::ThrowsMessage<Error>(testing::HasSubstr("[6,0]")));
    EXPECT_THAT(make("aspp:dropout=1"), testing::ThrowsMessage<Error>(testing::HasSubstr("[0, 1)")));
    EXPECT_THAT(make("aspp:hidden=0"), testing::ThrowsMessage<Error>(testing::HasSubstr("at least 1")));
}

}  // namespace
}  // namespace mtlprune::heads_test
