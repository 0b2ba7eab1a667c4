// What re-training begins with, and how long it takes.
#include "reproduce/stages/retraining.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "reproduce/stages/experiment_data.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"
#include "training/trainer.h"

namespace mtlprune::retraining_test {
namespace {

using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

/// Re-training leaves the weights as they are: its rate is lost in rounding.
constexpr const char* kPlain = R"({
  "name": "retraining", "seeds": [4],
  "data": {"kind": "synthetic_rooms", "classes": 13, "train": 8, "test": 2, "render_height": 32, "render_width": 40,
           "height": 24, "width": 24},
  "model": "vgg16:channels=[6,6,8],pools=1/smallaspp:hidden=4,dropout=0",
  "stages": {
    "dense": {"kind": "train", "iterations": 4, "batch_size": 2, "optimizer": {"kind": "sgd", "lr": 0.01}},
    "prune": {"kind": "prune", "from": "dense", "strategy": "l1", "batch_size": 2, "iterations": 9,
              "schedule": {"frequency": 3, "events": 2},
              "allocation": {"budget": {"count": 3}, "min_channels": 2}, "optimizer": {"kind": "sgd", "lr": 0.01}},
    "again": {"kind": "retrain", "from": "prune", "event": 2, "iterations": 2, "batch_size": 2,
              "optimizer": {"kind": "sgd", "lr": 1e-30}}}})";

class Retrained : public testing::Test {
  protected:
    void SetUp() override { set_up({}); }

    /// The experiment with these changes; nothing has run yet.
    void set_up(const Overrides& overrides) {
        experiment_ = read_experiment(kPlain, "retraining.json", overrides);
        plan_ = plan_stages(experiment_);
    }
    void run(const std::string& stage) {
        run_stage(experiment_, plan_, find_stage(plan_, stage, 4), folder_.path(),
                  [](double, const std::string&) {});
    }
    void run_all(const Overrides& overrides) {
        set_up(overrides);
        for (const char* stage : {"dense", "prune", "again"}) run(stage);
    }
    std::filesystem::path folder(const std::string& stage) const {
        return plan_[find_stage(plan_, stage, 4)].folder(folder_.path());
    }
    TensorMap network(const std::string& stage) const {
        return entries_of("model.", load_tensors(folder(stage) / "checkpoint.pt"));
    }
    /// The sum over tasks, or the one value, of a metric on the rows of an event.
    double sum(const std::string& stage, const std::string& metric, int64_t event,
               const std::string& split) const {
        const auto rows = Table::read(folder(stage) / "results.csv");
        double total = 0.0;
        for (size_t i = 0; i < rows.rows().size(); ++i)
            if (const auto& row = rows.rows()[i];
                row.metric == metric && row.event == event && row.split == split)
                total += rows.number(i);
        return total;
    }
    void expect_equal(const TensorMap& a, const TensorMap& b) {
        ASSERT_EQ(a.size(), b.size());
        // A bias of zero has become as small as the rate.
        for (const auto& [name, tensor] : a)
            EXPECT_TRUE(torch::allclose(tensor, b.at(name), 0, 1e-20)) << name;
    }

    std::filesystem::path runs() const { return folder_.path(); }

    Experiment experiment_;
    std::vector<Stage> plan_;

  private:
    TemporaryFolder folder_;
};

TEST_F(Retrained, FineTuningBeginsWithWhatPruningLeft) {
    run_all({{"stages.again.start", "fine_tune"}});
    expect_equal(network("again"), network("prune"));
}

TEST_F(Retrained, FineTuningBeginsAfterAnyEventWhoseNetworkWasKept) {
    for (const int64_t event : {0, 1}) {
        run_all({{"stages.again.start", "fine_tune"},
                 {"stages.again.event", event},
                 {"stages.prune.keep_networks", true}});
        EXPECT_EQ(sum("again", "loss", event, "test"), sum("prune", "loss", event, "test"));
        EXPECT_EQ(sum("again", "parameters", event, "none"), sum("prune", "parameters", event, "none"));
        EXPECT_NE(sum("prune", "loss", event, "test"), sum("prune", "loss", 2, "test"));
    }
}

TEST_F(Retrained, FineTuningSaysWhichNetworkWasNotKept) {
    set_up({{"stages.again.start", "fine_tune"}, {"stages.again.event", 1}});
    run("dense");
    run("prune");
    const auto message = error_of([&] { run("again"); });
    for (const char* part : {"again: start", "the last event (2)", "keep_networks", "event 1"})
        EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST_F(Retrained, WhatWasMaskedLeavesWithoutChangingTheNetwork) {
    run_all({{"stages.again.start", "fine_tune"}, {"stages.prune.edit", "mask"}});
    EXPECT_NEAR(sum("again", "loss", 2, "test"), sum("prune", "loss", 2, "test"), 1e-5);
    EXPECT_LT(network("again").at("backbone.conv1.weight").size(0), 6);
}

/// Rows of the dense network's first weights, by the numbers of the channels that stay.
TEST_F(Retrained, RewindingBeginsWithWhatTheDenseNetworkBeganWith) {
    run_all({{"stages.again.start", "rewind"}});
    const auto first = make_model(experiment_.model, experiment_tasks(experiment_.data));
    first->initialise(4);
    auto weights = module_state(*first);
    const auto removed = slices_of_original(pruned_architectures(folder("prune")).back().steps);
    ASSERT_FALSE(removed.empty());
    for (const auto& slices : removed) {
        auto& tensor = weights.at(slices.tensor);
        std::vector<int64_t> kept;
        for (int64_t i = 0; i < tensor.size(slices.dim); ++i)
            if (std::find(slices.indices.begin(), slices.indices.end(), i) == slices.indices.end())
                kept.push_back(i);
        tensor = tensor.index_select(slices.dim, torch::tensor(kept, torch::kLong));
    }
    expect_equal(network("again"), weights);
}

TEST_F(Retrained, ScratchSeesNoWeightsOfThePrunedNetwork) {
    set_up({});
    run("dense");
    run("prune");
    auto poisoned = load_tensors(folder("prune") / "checkpoint.pt");
    for (auto& [name, tensor] : poisoned)
        if (tensor.is_floating_point()) tensor.fill_(std::nan(""));
    save_tensors(folder("prune") / "checkpoint.pt", poisoned);
    run("again");
    for (const auto& [name, tensor] : network("again"))
        EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
}

TEST_F(Retrained, TheSameComputeIsIterationsTimesTheRatioOfMacs) {
    run_all({{"stages.again.length", "macs"}, {"stages.again.iterations", 4}});
    const double ratio = sum("prune", "macs", 0, "none") / sum("again", "macs", 2, "none");
    ASSERT_GT(ratio, 5.0 / 4.0);
    EXPECT_EQ(sum("again", "iterations", 0, "none"), std::floor(4 * ratio));
    run_all({{"stages.again.length", "macs"},
             {"stages.again.iterations", 4},
             {"stages.again.max_iterations", 4}});
    EXPECT_EQ(sum("again", "iterations", 0, "none"), 4);
}

TEST_F(Retrained, WithNothingPrunedAllThatBeginAnewAreTheDenseTraining) {
    for (const auto& arm :
         {Overrides{}, {{"stages.again.length", "macs"}}, {{"stages.again.start", "rewind"}}}) {
        auto overrides = arm;
        for (const auto& [key, value] :
             Overrides{{"event", 0}, {"iterations", 4}, {"optimizer", {{"kind", "sgd"}, {"lr", 0.01}}}})
            overrides.emplace_back("stages.again." + key, value);
        run_all(overrides);
        expect_equal(network("again"), network("dense"));
    }
}

TEST_F(Retrained, DistillationNeedsTheNetworkThatWasPrunedAndRepeats) {
    const Overrides taught = {{"stages.again.start", "fine_tune"},
                              {"stages.again.distillation", 1.0},
                              {"stages.again.optimizer", {{"kind", "sgd"}, {"lr", 0.01}}}};
    run_all(taught);
    EXPECT_EQ(plan_[find_stage(plan_, "again", 4)].needs,
              (std::vector<size_t>{find_stage(plan_, "prune", 4), find_stage(plan_, "dense", 4)}));
    const auto with = network("again");
    auto without = taught;
    without.erase(without.begin() + 1);
    run_all(without);
    bool differs = false;
    for (const auto& [name, tensor] : network("again")) differs |= !tensor.equal(with.at(name));
    EXPECT_TRUE(differs);
}

/// Networks that differ in nothing but the seed of a stage lose other channels at random.
TEST_F(Retrained, WhatACriterionDrawsFollowsTheStagesSeed) {
    const auto removed = [&](uint64_t seed, const std::string& criterion) {
        set_up({{"seeds", {seed}}, {"stages.prune.strategy", criterion}});
        for (const char* stage : {"dense", "prune"})
            run_stage(experiment_, plan_, find_stage(plan_, stage, seed), runs(),
                      [](double, const std::string&) {});
        const auto steps =
            pruned_architectures(plan_[find_stage(plan_, "prune", seed)].folder(runs())).back().steps;
        return steps.front().groups;
    };
    EXPECT_NE(removed(1, "random"), removed(2, "random"));
    EXPECT_EQ(removed(1, "random:seed=7"), removed(2, "random:seed=7"));
}

TEST(RetrainingKeys, AreCheckedAndKnownToTheTemplate) {
    const auto message = [](const std::string& key, const nlohmann::json& value) {
        return error_of([&] { read_experiment(kPlain, "retraining.json", {{key, value}}); });
    };
    EXPECT_NE(message("stages.again.start", "finetune").find("'fine_tune'"), std::string::npos);
    EXPECT_NE(message("stages.again.length", "flops").find("macs"), std::string::npos);
    EXPECT_NE(message("stages.dense.start", "rewind").find("start"), std::string::npos);
    const auto masked = error_of([&] {
        read_experiment(
            kPlain, "retraining.json",
            {{"stages.prune",
              {{"kind", "prune"}, {"from", "dense"}, {"strategy", "weight_magnitude"}, {"iterations", 3}}}});
    });
    EXPECT_NE(masked.find("again: from"), std::string::npos) << masked;
    EXPECT_NE(masked.find("masks weights"), std::string::npos) << masked;
}

}  // namespace
}  // namespace mtlprune::retraining_test
