// prune-torchscript, groups and explain, as their users run them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace mtlprune::prune_torchscript_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PruneTorchscript : public ::testing::Test {
  protected:
    void SetUp() override {
        torch::jit::Module module("net");
        module.register_attribute("training", c10::BoolType::get(), false);
        uint64_t key = 1;
        const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
            auto generator = at::detail::createCPUGenerator(key++);
            module.register_parameter(name, torch::empty(shape).uniform_(-1, 1, generator), false);
        };
        add("first", {8, 3, 3, 3});
        add("second", {6, 8, 3, 3});
        add("last", {4, 6 * 16});
        module.define(
            "def forward(self, x):\n  x = torch.relu(torch.conv2d(x, self.first, padding=[1, 1]))\n"
            "  x = torch.relu(torch.conv2d(x, self.second, padding=[1, 1]))\n"
            "  return torch.linear(x.view(x.size(0), 96), self.last)\n");
        module.save((folder_ / "net.pt").string());
    }
    Outcome run(const Words& arguments) { return run_program(arguments, folder_.path()); }
    Words prune(const Words& more) {
        return Words{"prune-torchscript", "net.pt", "--input", "1x3x4x4", "--out", "out.pt"} + more;
    }
    void expect_refused(const Words& arguments, const std::string& text) {
        const auto outcome = run(arguments);
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        EXPECT_THAT(outcome.err, HasSubstr(text));
        EXPECT_FALSE(fs::exists(folder_ / "out.pt"));
    }

    TemporaryFolder folder_;
};

TEST_F(PruneTorchscript, PrunesTheFileAndSaysWhatItDid) {
    const auto outcome = run(prune({"--ratio", "0.5", "--plan", "plan.json"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto report = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(report["before"]["parameters"], 8 * 27 + 6 * 72 + 4 * 96);
    EXPECT_EQ(report["after"]["parameters"], 4 * 27 + 3 * 36 + 4 * 48);
    EXPECT_EQ(report["after"]["macs"], 16 * (4 * 27 + 3 * 36) + 4 * 48);
    EXPECT_EQ(report["groups"], 2);
    EXPECT_LT(report["relative_error"].get<double>(), 1e-4);
    EXPECT_THAT(report["frozen"].dump(), HasSubstr("network output 0"));

    auto pruned = torch::jit::load((folder_ / "out.pt").string());
    EXPECT_EQ(pruned.forward({torch::ones({5, 3, 4, 4})}).toTensor().size(0), 5);
    const auto plan = nlohmann::json::parse(read_file(folder_ / "plan.json"));
    auto zeroed = torch::jit::load((folder_ / "net.pt").string());
    const torch::NoGradGuard no_grad;
    for (const auto& removal : plan["steps"][0]["slices"])
        zeroed.attr(removal["tensor"].get<std::string>())
            .toTensor()
            .index_fill_(removal["dim"].get<int64_t>(),
                         torch::tensor(removal["indices"].get<std::vector<int64_t>>()), 0);
    const auto image = torch::linspace(-1, 1, 48).view({1, 3, 4, 4});
    EXPECT_TRUE(
        torch::allclose(pruned.forward({image}).toTensor(), zeroed.forward({image}).toTensor(), 1e-5, 1e-5));
}

TEST_F(PruneTorchscript, TheSameCommandGivesTheSameFiles) {
    ASSERT_EQ(run(prune({"--plan", "plan.json"})).code, 0);
    const auto file = read_file(folder_ / "out.pt"), plan = read_file(folder_ / "plan.json");
    ASSERT_EQ(run(prune({"--plan", "plan.json"})).code, 0);
    EXPECT_EQ(read_file(folder_ / "out.pt"), file);
    EXPECT_EQ(read_file(folder_ / "plan.json"), plan);
}

TEST_F(PruneTorchscript, ASeedIsGoodForAllCriteriaAndUsedByThoseThatDraw) {
    ASSERT_EQ(run(prune({"--criterion", "l1"})).code, 0);
    const auto without = read_file(folder_ / "out.pt");
    const auto seeded = run(prune({"--criterion", "l1", "--seed", "3"}));
    EXPECT_EQ(seeded.code, 0);
    EXPECT_EQ(seeded.err, "mtlprune: --seed has no effect: l1 draws nothing\n");
    EXPECT_EQ(read_file(folder_ / "out.pt"), without);

    const auto drawn = run(prune({"--criterion", "random", "--seed", "3"}));
    EXPECT_EQ(drawn.code, 0);
    EXPECT_EQ(drawn.err, "");
    const auto file = read_file(folder_ / "out.pt");
    ASSERT_EQ(run(prune({"--criterion", "random:seed=3"})).code, 0);
    EXPECT_EQ(read_file(folder_ / "out.pt"), file);
}

TEST_F(PruneTorchscript, MeetsBudgetsAndLimits) {
    const auto report = [&](const Words& options) { return nlohmann::json::parse(run(prune(options)).out); };
    EXPECT_LE(report({"--budget", "macs=0.3", "--scope", "global"})["after"]["macs"],
              0.3 * 16 * (8 * 27 + 6 * 72) + 0.3 * 384);
    EXPECT_EQ(report({"--ignore", "first"})["removed_channels"], 3);
    EXPECT_EQ(report({"--ratio", "0.9", "--min-channels", "4"})["removed_channels"], 4 + 2);
    EXPECT_EQ(report({"--ratio", "0.4", "--round-to", "4"})["removed_channels"], 4 + 2);
}

TEST_F(PruneTorchscript, SaysHowLongEachStageTook) {
    const auto outcome = run(prune({"--time"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    for (const char* stage :
         {"load", "trace", "coupling", "scoring", "surgery", "verification", "save", "all"})
        EXPECT_THAT(outcome.err, HasSubstr(std::string("\n") + stage + " "));
}

TEST_F(PruneTorchscript, MeetsALatencyThatIsMeasuredHere) {
    ::setenv("MTLPRUNE_CACHE", (folder_ / "cache").c_str(), 1);
    expect_refused(
        {"prune-torchscript", "net.pt", "--input", "1x3x4x4", "--out", "out.pt", "--budget", "latency=1ns"},
        "5ms@cpu:2threads");
    const auto generous = run(prune({"--budget", "latency=1s@1thread"}));
    ASSERT_EQ(generous.code, 0) << generous.err;
    const auto report = nlohmann::json::parse(generous.out);
    EXPECT_EQ(report["removed_channels"], 0) << "it is fast enough";
    EXPECT_GT(report["latency"]["measured"], 0);
    const auto profile = run({"profile", "net.pt", "--input", "1x3x4x4", "--threads", "1"});
    ::unsetenv("MTLPRUNE_CACHE");
    EXPECT_EQ(profile.code, 0) << profile.err;
    EXPECT_THAT(profile.out, HasSubstr("with every layer at its fewest channels"));
    EXPECT_THAT(profile.out, HasSubstr("50 %"));
}

TEST_F(PruneTorchscript, BadInputIsOneErrorAndNoFile) {
    expect_refused({"prune-torchscript", "nothing.pt", "--input", "1x3x4x4", "--out", "out.pt"},
                   "nothing.pt");
    write_file_atomically(folder_ / "text.pt", "no archive");
    expect_refused({"prune-torchscript", "text.pt", "--input", "1x3x4x4", "--out", "out.pt"}, "text.pt");
    expect_refused({"prune-torchscript", "net.pt", "--out", "out.pt"}, "--input");
    expect_refused({"prune-torchscript", "net.pt", "--input", "1x3xy", "--out", "out.pt"}, "1x3xy");
    expect_refused({"prune-torchscript", "net.pt", "--input", "1x3x9999999999x9999999999", "--out", "out.pt"},
                   "--input");
    expect_refused({"prune-torchscript", "net.pt", "--input", "1x4x4x4", "--out", "out.pt"}, "aten::conv2d");
    expect_refused(prune({"--criterion", "l3"}), "l3");
    expect_refused(prune({"--scope", "globl"}), "global");
    expect_refused(prune({"--budget", "flops=0.5"}), "--budget");
    expect_refused(prune({"--ignore", "nobody"}), "nobody");
    expect_refused(prune({"--budget", "params=0.0001"}), "parameters");
    expect_refused(prune({"--ratoi", "0.5"}), "--ratio");
}

TEST_F(PruneTorchscript, GroupsAndReasonsArePrinted) {
    const auto groups = run({"groups", "net.pt", "--input", "1x3x4x4", "--members", "--dot", "groups.dot"});
    ASSERT_EQ(groups.code, 0) << groups.err;
    EXPECT_THAT(groups.out, HasSubstr("last dim 1 (input), 16 per channel"));
    const auto picture = read_file(folder_ / "groups.dot");
    EXPECT_THAT(picture, HasSubstr("digraph"));
    EXPECT_THAT(picture, HasSubstr("g0 -> g1"));
    const auto explained = run({"explain", "net.pt", "--input", "1x3x4x4"});
    ASSERT_EQ(explained.code, 0) << explained.err;
    EXPECT_THAT(explained.out, HasSubstr("network output 0"));
}

TEST_F(PruneTorchscript, GroupsOfAScaleNeedNoFile) {
    const auto outcome = run({"groups", "--scale", "smoke"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("backbone.conv13"));
}

}  // namespace
}  // namespace mtlprune::prune_torchscript_test
