// Sizes and work of the networks in counts.json, by the traced counter. Checked for every list of widths:
// s_config (input), params_without_gates, params_with_gates, closed_params, ptflops_params,
// closed_conv_macs_shared.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <numeric>

#include "pruning/cost/cost.h"
#include "pruning/network/network.h"
#include "tests/golden_folder.h"
#include "tests/paper_network.h"

namespace mtlprune::counts_golden_test {
namespace {

TEST(GoldenCounts, ParametersAndMacsOfTheReleasedNetworks) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const torch::NoGradGuard no_grad;
    const auto model = build({});
    ModuleNetwork network(*model, [&](const auto& in) { return model->forward(in[0]); },
                          {torch::zeros({1, 3, 321, 321})});
    const auto coupling = network.couple({});
    const auto counts = golden_json("counts.json");
    int networks = 0;
    for (const auto& [name, entry] : counts.items()) {
        if (!entry.contains("s_config")) continue;
        SCOPED_TRACE(name);
        const auto widths = entry.at("s_config").get<std::vector<int64_t>>();
        auto kept = channel_counts(coupling.groups);
        for (size_t g = 0; g < kept.size(); ++g)
            for (size_t layer = 0; layer < widths.size(); ++layer)
                if (coupling.groups[g].name == "backbone.conv" + std::to_string(layer + 1))
                    kept[g] = widths[layer];
        const auto cost = cost_of(coupling, kept);
        const int64_t gates = std::accumulate(widths.begin(), widths.end(), int64_t{0});
        EXPECT_EQ(cost.macs, entry.at("closed_conv_macs_shared").get<int64_t>());
        EXPECT_EQ(cost.parameters, entry.at("params_without_gates").get<int64_t>());
        for (const char* key : {"params_with_gates", "closed_params", "ptflops_params"})
            EXPECT_EQ(cost.parameters + gates, entry.at(key).get<int64_t>()) << key;
        ++networks;
    }
    EXPECT_GT(networks, 0);
}

}  // namespace
}  // namespace mtlprune::counts_golden_test
