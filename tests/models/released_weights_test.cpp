#include "models/weights/released_weights.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "tests/paper_network.h"

namespace mtlprune::released_weights_test {
namespace {

using StateDict = std::map<std::string, torch::Tensor>;

const std::vector<int> kConvolutions = {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40};
const std::vector<int> kGates = {2, 6, 9, 13, 16, 19, 23, 26, 29, 33, 36, 39, 43};

PaperNetwork config() {
    PaperNetwork config;
    config.channels = {2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 4};
    config.hidden = 5;
    config.tasks = nyuv2_tasks(6);
    return config;
}

torch::Tensor noise(at::IntArrayRef shape, uint64_t key) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

/// A state_dict as the released code writes it, with random values.
StateDict released() {
    StateDict entries;
    uint64_t key = 0;
    const auto add = [&](const std::string& name, int64_t out, int64_t in, int64_t kernel) {
        entries[name + ".weight"] = noise({out, in, kernel, kernel}, ++key);
        entries[name + ".bias"] = noise({out}, ++key);
    };
    int64_t in = 3;
    for (size_t l = 0; l < kConvolutions.size(); ++l) {
        const int64_t out = config().channels[l];
        add("backbone." + std::to_string(kConvolutions[l]), out, in, 3);
        entries["backbone." + std::to_string(kGates[l]) + ".weight"] = torch::ones({out});
        in = out;
    }
    const std::vector<std::pair<std::string, int64_t>> tasks = {
        {"segment_semantic", 6}, {"normal", 3}, {"depth_zbuffer", 1}};
    for (const auto& [task, channels] : tasks)
        for (int branch = 1; branch <= 4; ++branch) {
            const std::string prefix = "heads." + task + ".fc" + std::to_string(branch);
            add(prefix + ".conv1", 5, in, 3);
            add(prefix + ".conv2", 5, 5, 1);
            add(prefix + ".conv3", channels, 5, 1);
        }
    return entries;
}

std::string message(const StateDict& entries) {
    try {
        released_network(entries);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(ReleasedWeights, ReadsTheConfigurationOffTheShapes) {
    const auto model = released_network(released()).model;
    EXPECT_EQ(widths(*model), config().channels);
    EXPECT_EQ(model->tasks(), config().tasks);
    EXPECT_EQ(aspp(*model, 0).branches[0]->conv2->weight.size(0), config().hidden);
}

TEST(ReleasedWeights, PutsEveryEntryInItsPlace) {
    const auto entries = released();
    const auto [model, gates] = released_network(entries);
    const auto parameters = model->named_parameters();
    ASSERT_EQ(gates.size(), 13U);
    EXPECT_EQ(entries.size(), parameters.size() + gates.size());
    EXPECT_TRUE(parameters["backbone.conv1.weight"].equal(entries.at("backbone.0.weight")));
    EXPECT_TRUE(parameters["backbone.conv5.bias"].equal(entries.at("backbone.14.bias")));
    EXPECT_TRUE(parameters["backbone.conv13.weight"].equal(entries.at("backbone.40.weight")));
    EXPECT_TRUE(parameters["heads.segmentation.rate1.conv1.weight"].equal(
        entries.at("heads.segment_semantic.fc1.conv1.weight")));
    EXPECT_TRUE(
        parameters["heads.normals.rate4.conv2.bias"].equal(entries.at("heads.normal.fc3.conv2.bias")));
    EXPECT_TRUE(parameters["heads.depth.rate6.conv3.weight"].equal(
        entries.at("heads.depth_zbuffer.fc4.conv3.weight")));
}

TEST(ReleasedWeights, FoldsGatesSoThatTheNetworkComputesTheSame) {
    torch::NoGradGuard no_grad;
    auto entries = released();
    const auto plain = released_network(entries).model;
    entries["backbone.2.weight"] = torch::tensor({0.0F, 1.0F});
    entries["backbone.9.weight"] = torch::tensor({0.5F, 2.0F});
    const auto [folded, gates] = released_network(entries);
    const auto image = noise({1, 3, 64, 64}, 77);
    const auto without = plain->features(image).back();
    plain->set_gates(gates);
    const auto expected = plain->features(image).back(), found = folded->features(image).back();
    EXPECT_TRUE(torch::allclose(found, expected, 1e-4, 1e-5));
    EXPECT_FALSE(torch::allclose(found, without, 1e-4, 1e-5));
    EXPECT_TRUE(gates[0].equal(entries["backbone.2.weight"]));
}

TEST(ReleasedWeights, AcceptsAStateWithoutGates) {
    auto entries = released();
    for (const int gate : kGates) entries.erase("backbone." + std::to_string(gate) + ".weight");
    EXPECT_TRUE(released_network(entries).gates[3].equal(torch::ones({3})));
}

TEST(ReleasedWeights, NamesWhatIsMissingUnknownOrMisshaped) {
    auto entries = released();
    entries.erase("heads.normal.fc2.conv2.bias");
    EXPECT_TRUE(contains(message(entries), "heads.normal.fc2.conv2.bias: expected [5], found nothing"));
    entries = released();
    entries["heads.normal.fc5.conv1.bias"] = torch::zeros({5});
    EXPECT_TRUE(contains(message(entries), "heads.normal.fc5.conv1.bias"));
    entries = released();
    entries["backbone.7.weight"] = torch::zeros({2, 4, 3, 3});
    EXPECT_TRUE(contains(message(entries), "backbone.7.weight: expected [2, 3, 3, 3], found [2, 4, 3, 3]"));
    entries = released();
    entries["backbone.2.weight"] = torch::tensor({-1.0F, 1.0F});
    EXPECT_TRUE(contains(message(entries), "backbone.2.weight"));
}

TEST(ReleasedWeights, ConfigurationNeedsKnownEntries) {
    EXPECT_THROW(released_network({}), Error);
    auto entries = released();
    entries["backbone.40.weight"] = torch::zeros({4});
    EXPECT_THROW(released_network(entries), Error);
    for (auto it = entries.begin(); it != entries.end();)
        it = it->first.rfind("heads.", 0) == 0 ? entries.erase(it) : std::next(it);
    entries["backbone.40.weight"] = torch::zeros({4, 3, 3, 3});
    EXPECT_THROW(released_network(entries), Error);
}

}  // namespace
}  // namespace mtlprune::released_weights_test
