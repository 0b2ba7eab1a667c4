// Latency by tables, and what leaves so that a network is as fast as asked.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "base/atomic_file.h"
#include "bench/latency/latency_allocation.h"
#include "bench/latency/script_latency.h"
#include "models/model_spec.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::latency_budget_test {
namespace {

const LatencyTable kTable = {{2, 4, 8}, {1, 5}, {{1.0, 3.0}, {2.0, 4.0}, {6.0, 10.0}}};

TEST(LatencyTables, InterpolateBetweenTheirPoints) {
    EXPECT_EQ(kTable.at(2, 1), 1);
    EXPECT_EQ(kTable.at(8, 5), 10);
    EXPECT_EQ(kTable.at(2, 3), 2);
    EXPECT_EQ(kTable.at(3, 1), 1.5);
    EXPECT_EQ(kTable.at(6, 3), (2 + 4 + 6 + 10) / 4.0);
    EXPECT_EQ(kTable.at(1, 1), 1) << "below the first point";
    EXPECT_EQ(kTable.at(100, 100), 10) << "beyond the last";
    EXPECT_EQ((LatencyTable{{3}, {4}, {{7.0}}}).at(2, 9), 7);
}

TEST(LatencyTables, MeasureWhatLayersCanShrinkTo) {
    EXPECT_EQ(grid_of(1), (std::vector<int64_t>{1}));
    EXPECT_EQ(grid_of(3), (std::vector<int64_t>{1, 3}));
    EXPECT_EQ(grid_of(20), (std::vector<int64_t>{1, 2, 4, 8, 16, 20}));
    EXPECT_EQ(grid_of(160), (std::vector<int64_t>{1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160}));
    const auto table =
        measure_table({.input = {1, 3, 5, 5}, .weight = {20, 3, 3, 3}}, [](const LayerShape& layer) {
            EXPECT_EQ(layer.input, (std::vector<int64_t>{1, layer.weight[1], 5, 5}));
            return static_cast<double>(100 * layer.weight[1] + layer.weight[0]);
        });
    EXPECT_EQ(table.inputs, (std::vector<int64_t>{1, 3}));
    EXPECT_EQ(table.seconds[1], (std::vector<double>{301, 302, 304, 308, 316, 320}));
}

TEST(LatencyTables, BecomeMonotoneByPoolingNeighbours) {
    LatencyTable table{{1}, {1, 2, 3}, {{1.0, 3.0, 2.0}}};
    EXPECT_DOUBLE_EQ(make_monotone(table), 0.25);
    EXPECT_EQ(table.seconds[0], (std::vector<double>{1.0, 2.5, 2.5}));
    LatencyTable square{{1, 2}, {1, 2}, {{4.0, 1.0}, {1.0, 4.0}}};
    make_monotone(square);
    for (size_t i = 0; i < 2; ++i) {
        EXPECT_LE(square.seconds[i][0], square.seconds[i][1] + 1e-9);
        EXPECT_LE(square.seconds[0][i], square.seconds[1][i] + 1e-9);
    }
    LatencyTable rising = kTable;
    EXPECT_EQ(make_monotone(rising), 0);
    EXPECT_EQ(rising.seconds, kTable.seconds);
}

TEST(LatencyTables, AreWrittenAndReadAgain) {
    const auto read = LatencyTable::from_json(kTable.to_json(), "t.json");
    EXPECT_EQ(read.inputs, kTable.inputs);
    EXPECT_EQ(read.outputs, kTable.outputs);
    EXPECT_EQ(read.seconds, kTable.seconds);
    const auto damaged = [](const char* key, const nlohmann::json& value) {
        auto json = kTable.to_json();
        json[key] = value;
        return error_of([&] { LatencyTable::from_json(json, "t.json"); });
    };
    for (const auto& [key, value] :
         std::vector<std::pair<const char*, nlohmann::json>>{{"inputs", {2, 4}},
                                                             {"inputs", {4, 2, 8}},
                                                             {"inputs", "many"},
                                                             {"seconds", {{1, 2}, {3, 4}, {5, 0}}}})
        EXPECT_NE(damaged(key, value).find("t.json"), std::string::npos) << key << value;
}

TEST(LatencyTables, AreMeasuredOnceAndAgainWhenDamaged) {
    const TemporaryFolder folder;
    const LayerShape layer{.input = {1, 2, 6, 6},
                           .weight = {3, 2, 3, 3},
                           .stride = {1, 1},
                           .padding = {1, 1},
                           .dilation = {1, 1}};
    const LatencySetting setting{"eager", 1, 1};
    const auto first = table_of(layer, setting, folder.path());
    EXPECT_EQ(first.inputs, (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(table_of(layer, setting, folder.path()).seconds, first.seconds);
    std::vector<std::filesystem::path> files;
    for (const auto& file : std::filesystem::directory_iterator(folder.path())) files.push_back(file.path());
    ASSERT_EQ(files.size(), 1U);
    write_bytes(files[0], "{\"key\": 1");
    EXPECT_EQ(table_of(layer, setting, folder.path()).inputs, first.inputs);
    EXPECT_GT(read_file(files[0]).size(), 20U) << "written again";
    table_of(layer, {"eager", 2, 1}, folder.path());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2)
        << "other threads, other table";
}

TEST(LatencyPredictions, FollowMeasuredNetworks) {
    // A layer of one group that reads 3 channels and makes what the group keeps, 100 bytes each.
    const LatencyTable table{{3}, {1, 10}, {{1.0, 10.0}}};
    NetworkLatency latency({{table, {3, {}}, {0, {{0, 10, 10}}}, 100}});
    EXPECT_EQ(latency.layers({4}), 4);
    EXPECT_EQ(latency.bytes({4}), 400);
    EXPECT_EQ(latency.predict({4}), 4) << "before it is calibrated";
    latency.calibrate({{{10}, 25.0}});
    EXPECT_DOUBLE_EQ(latency.predict({4}), 10.0) << "one network: in proportion";
    EXPECT_THROW(latency.calibrate({}), Error);
}

TEST(LatencyPredictions, TellLayersFromTheRestByTwoNetworks) {
    // Layers grow with the square of the width, bytes with the width: 2 layers + 0.03 bytes.
    LatencyTable table{{3}, {1, 2, 4, 8}, {{1.0, 4.0, 16.0, 64.0}}};
    NetworkLatency latency({{table, {3, {}}, {0, {{0, 8, 8}}}, 100}});
    latency.calibrate({{{8}, 2 * 64.0 + 24}, {{4}, 2 * 16.0 + 12}});
    EXPECT_NEAR(latency.predict({2}), 2 * 4.0 + 6, 1e-9);
    EXPECT_NEAR(latency.predict({1}), 2 * 1.0 + 3, 1e-9);
    // What no pair of numbers of at least 0 explains is explained as well as one can.
    latency.calibrate({{{8}, 64.0}, {{4}, 1.0}});
    EXPECT_GE(latency.predict({1}), 0);
}

Coupling two_layers() {
    const auto model = make_model("vgg16:channels=[8,6],pools=1/smallaspp:hidden=4", nyuv2_tasks(2));
    return couple(*model, [&](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); },
                  {torch::zeros({1, 3, 8, 8})});
}

std::vector<torch::Tensor> random_scores(const Coupling& coupling) {
    std::vector<torch::Tensor> scores;
    for (const auto& group : coupling.groups)
        scores.push_back(torch::empty({group.frozen ? 0 : group.channels}, torch::kDouble)
                             .uniform_(0.0, 1.0, at::detail::createCPUGenerator(scores.size() + 5)));
    return scores;
}

double lost(const torch::Tensor& scores, int64_t kept) {
    return std::get<0>(scores.sort()).slice(0, 0, scores.numel() - kept).sum().item<double>();
}

/// With a price per channel the best choice is known: brute force over both layers.
TEST(LatencyAllocation, LosesAsLittleScoreAsCanBe) {
    const auto coupling = two_layers();
    const auto scores = random_scores(coupling);
    AllocationOptions options;
    options.only = {"backbone\\..*"};
    const auto open = open_groups(coupling, coupling.groups, options);
    ASSERT_EQ(open.size(), 2U);
    const auto predict = [&](const std::vector<int64_t>& kept) {
        return static_cast<double>(kept[open[0]] + kept[open[1]]);
    };
    for (const double budget : {13.0, 10.0, 7.0, 4.0}) {
        const auto chosen = allocate_latency(coupling, scores, options, predict, budget, /*liked=*/1);
        EXPECT_LE(chosen.predicted, budget);
        EXPECT_EQ(chosen.dense, 14);
        EXPECT_EQ(chosen.least, 2);
        double best = 1e9;
        for (int64_t a = 1; a <= 8; ++a)
            for (int64_t b = 1; b <= 6; ++b)
                if (static_cast<double>(a + b) <= budget)
                    best = std::min(best, lost(scores[open[0]], a) + lost(scores[open[1]], b));
        EXPECT_NEAR(lost(scores[open[0]], chosen.kept[open[0]]) + lost(scores[open[1]], chosen.kept[open[1]]),
                    best, 1e-12)
            << budget;
    }
}

TEST(LatencyAllocation, TakesNoStepThatSavesNothing) {
    const auto coupling = two_layers();
    AllocationOptions options;
    options.only = {"backbone\\..*"};
    const auto open = open_groups(coupling, coupling.groups, options);
    // The first layer is as slow with 3 to 8 channels; the second has a price per channel.
    const auto predict = [&](const std::vector<int64_t>& kept) {
        return (kept[open[0]] > 2 ? 10.0 : 1.0) + static_cast<double>(kept[open[1]]);
    };
    std::vector<torch::Tensor> scores = random_scores(coupling);
    scores[open[1]].mul_(1e-3);
    EXPECT_EQ(allocate_latency(coupling, scores, options, predict, 12, 1).kept[open[0]], 8);
    const auto small = allocate_latency(coupling, scores, options, predict, 8, 1).kept;
    EXPECT_EQ(small[open[0]], 2);
    EXPECT_NE(error_of([&] { allocate_latency(coupling, scores, options, predict, 1.5); }).find("at least"),
              std::string::npos);
}

TEST(LatencyAllocation, LeavesExactlyTheseChannelsThroughTheOneRule) {
    const auto coupling = two_layers();
    const auto scores = random_scores(coupling);
    auto kept = channel_counts(coupling.groups);
    for (const size_t g : open_groups(coupling, coupling.groups, {})) kept[g] -= static_cast<int64_t>(g) % 4;
    const auto allocation = allocate(coupling, coupling.groups, scores, with_widths(coupling, kept, {}));
    for (size_t g = 0; g < kept.size(); ++g)
        EXPECT_EQ(coupling.groups[g].channels - static_cast<int64_t>(allocation.removed[g].size()), kept[g])
            << g;
}

TEST(LatencyBudgets, AreReadInFullAndInPart) {
    const LatencySetting defaults{"torchscript", 3, 4};
    const auto whole = parse_latency_budget("5ms@cpu:2threads:batch8:torchscript", defaults);
    EXPECT_DOUBLE_EQ(whole.seconds, 5e-3);
    EXPECT_EQ(whole.setting.threads, 2);
    EXPECT_EQ(whole.setting.batch, 8);
    const auto part = parse_latency_budget("250us", defaults);
    EXPECT_DOUBLE_EQ(part.seconds, 250e-6);
    EXPECT_EQ(part.setting.threads, 3);
    EXPECT_DOUBLE_EQ(parse_latency_budget("1.5s@1thread", defaults).seconds, 1.5);
    for (const char* text : {"", "5", "ms", "-5ms", "5ms@gpu", "5ms@twothreads", "5ms@batch", "5msx"})
        EXPECT_NE(error_of([&] { parse_latency_budget(text, defaults); }).find("5ms@cpu:2threads"),
                  std::string::npos)
            << text;
}

}  // namespace
}  // namespace mtlprune::latency_budget_test
