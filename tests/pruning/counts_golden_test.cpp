// Sizes and work of the networks in counts.json. Checked for every list of widths: s_config (input),
// params_without_gates, params_with_gates, closed_params, ptflops_params,
// closed_conv_macs_{backbone_once,heads,shared,as_run}, closed_ptflops_macs_{backbone_once,as_run},
// ptflops_macs; where present also params_backbone, params_heads.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "tests/golden_folder.h"

namespace mtlprune::counts_golden_test {
namespace {

constexpr int64_t kSize = 321;
constexpr int64_t kBackboneRuns = 3;  // the released forward runs the backbone once per task

using Check = std::function<void(const nlohmann::json& entry, const PaperNetwork& config)>;

/// For every network of the file.
void for_each_network(const Check& check) {
    const auto counts = golden_json("counts.json");
    int networks = 0;
    for (const auto& [name, entry] : counts.items()) {
        if (!entry.contains("s_config")) continue;
        SCOPED_TRACE(name);
        PaperNetwork config;
        config.channels = entry.at("s_config").get<std::vector<int64_t>>();
        check(entry, config);
        ++networks;
    }
    EXPECT_GT(networks, 0);
}

TEST(GoldenCounts, Parameters) {
    MTLPRUNE_REQUIRE_GOLDEN();
    for_each_network([](const nlohmann::json& entry, const PaperNetwork& config) {
        const int64_t gates = std::accumulate(config.channels.begin(), config.channels.end(), int64_t{0});
        const int64_t count = parameter_count(config);
        EXPECT_EQ(count, entry.at("params_without_gates").get<int64_t>());
        for (const char* key : {"params_with_gates", "closed_params", "ptflops_params"})
            EXPECT_EQ(count + gates, entry.at(key).get<int64_t>()) << key;
    });
}

TEST(GoldenCounts, ParametersOfTheParts) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto full = golden_json("counts.json").at("full");
    const PaperNetwork config;
    const int64_t gates = std::accumulate(config.channels.begin(), config.channels.end(), int64_t{0});
    EXPECT_EQ(backbone_parameter_count(config) + gates, full.at("params_backbone").get<int64_t>());
    const std::vector<std::string> tasks = {"segment_semantic", "normal", "depth_zbuffer"};
    for (size_t t = 0; t < tasks.size(); ++t)
        EXPECT_EQ(head_parameter_count(config, t), full.at("params_heads").at(tasks[t]).get<int64_t>())
            << tasks[t];
}

TEST(GoldenCounts, ConvolutionMacs) {
    MTLPRUNE_REQUIRE_GOLDEN();
    for_each_network([](const nlohmann::json& entry, const PaperNetwork& config) {
        const auto macs = conv_macs(config, kSize, kSize);
        EXPECT_EQ(macs.backbone, entry.at("closed_conv_macs_backbone_once").get<int64_t>());
        EXPECT_EQ(macs.heads, entry.at("closed_conv_macs_heads").get<int64_t>());
        EXPECT_EQ(macs.total(), entry.at("closed_conv_macs_shared").get<int64_t>());
        EXPECT_EQ(kBackboneRuns * macs.backbone + macs.heads,
                  entry.at("closed_conv_macs_as_run").get<int64_t>());
    });
}

TEST(GoldenCounts, PtflopsMacs) {
    MTLPRUNE_REQUIRE_GOLDEN();
    for_each_network([](const nlohmann::json& entry, const PaperNetwork& config) {
        const auto macs = ptflops_macs(config, kSize, kSize);
        EXPECT_EQ(macs.total(), entry.at("closed_ptflops_macs_backbone_once").get<int64_t>());
        for (const char* key : {"closed_ptflops_macs_as_run", "ptflops_macs"})
            EXPECT_EQ(kBackboneRuns * macs.backbone + macs.heads, entry.at(key).get<int64_t>()) << key;
    });
}

}  // namespace
}  // namespace mtlprune::counts_golden_test
