// Environments of torchrun and Slurm.
#include "training/data_parallel/process_layout.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/bad_input.h"

namespace mtlprune::process_layout_test {
namespace {

using Environment = std::map<std::string, std::string>;

ProcessLayout layout_of(const Environment& environment) {
    return process_layout([&](const std::string& name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        if (found == environment.end()) return std::nullopt;
        return found->second;
    });
}

Environment torchrun() {
    return {{"RANK", "3"},
            {"WORLD_SIZE", "4"},
            {"LOCAL_RANK", "1"},
            {"MASTER_ADDR", "10.0.0.7"},
            {"MASTER_PORT", "29501"}};
}

Environment slurm() {
    return {{"SLURM_PROCID", "5"},  {"SLURM_NTASKS", "8"},     {"SLURM_LOCALID", "1"},
            {"SLURM_STEP_ID", "2"}, {"SLURM_JOB_ID", "12345"}, {"SLURM_NODELIST", "gpu[07-08,11],login"}};
}

Environment with(Environment environment, const Environment& changes) {
    for (const auto& [name, value] : changes) environment[name] = value;
    return environment;
}

std::string failure_of(const Environment& environment) {
    return error_of([&] { layout_of(environment); });
}

TEST(ProcessLayout, WithoutVariablesAProcessIsAlone) {
    const auto layout = layout_of({{"MASTER_ADDR", "10.0.0.7"}, {"LOCAL_RANK", "5"}});
    EXPECT_EQ(layout, ProcessLayout());
    EXPECT_TRUE(layout.alone());
    EXPECT_TRUE(layout.first());
    EXPECT_NO_THROW(require_alone(layout, "mtlprune reproduce"));
}

TEST(ProcessLayout, OfTorchrun) {
    const auto layout = layout_of(torchrun());
    EXPECT_EQ(layout.rank, 3);
    EXPECT_EQ(layout.ranks, 4);
    EXPECT_EQ(layout.local_rank, 1);
    EXPECT_EQ(layout.address, "10.0.0.7");
    EXPECT_EQ(layout.port, 29501);
    EXPECT_FALSE(layout.store_runs);
    EXPECT_FALSE(layout.alone());
    EXPECT_FALSE(layout.first());
}

TEST(ProcessLayout, TorchrunsOwnStoreIsUsedAndEveryAttemptHasItsOwnPart) {
    const auto first = layout_of(with(torchrun(), {{"TORCHELASTIC_USE_AGENT_STORE", "True"}}));
    EXPECT_TRUE(first.store_runs);
    const auto again = layout_of(with(torchrun(), {{"TORCHELASTIC_RESTART_COUNT", "1"}}));
    EXPECT_NE(first.store_prefix, again.store_prefix);
}

TEST(ProcessLayout, OneRankIsAloneAndNeedsNoPlaceToMeet) {
    EXPECT_EQ(layout_of({{"RANK", "0"}, {"WORLD_SIZE", "1"}}), ProcessLayout());
    EXPECT_EQ(layout_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}, {"SLURM_STEP_ID", "0"}}),
              ProcessLayout());
}

TEST(ProcessLayout, OfSlurm) {
    const auto layout = layout_of(slurm());
    EXPECT_EQ(layout.rank, 5);
    EXPECT_EQ(layout.ranks, 8);
    EXPECT_EQ(layout.local_rank, 1);
    EXPECT_EQ(layout.address, "gpu07");
    EXPECT_EQ(layout.port, 20000 + 2345 + 2 * 97);
    EXPECT_FALSE(layout.store_runs);
}

TEST(ProcessLayout, SlurmsFirstHost) {
    const std::map<std::string, std::string> hosts = {{"node1", "node1"},
                                                      {"node1,node2", "node1"},
                                                      {"node[1-4]", "node1"},
                                                      {"node[007,012]", "node007"},
                                                      {"rack[2-3]n[10-12]-ib,x", "rack2n10-ib"},
                                                      {"a.b.c", "a.b.c"}};
    for (const auto& [list, first] : hosts)
        EXPECT_EQ(layout_of(with(slurm(), {{"SLURM_NODELIST", list}})).address, first) << list;
    // A step may use part of its job's nodes.
    EXPECT_EQ(layout_of(with(slurm(), {{"SLURM_STEP_NODELIST", "gpu11"}})).address, "gpu11");
    for (const char* list : {"node[", "node[]", ",node", "node[-3]"}) {
        const auto text = failure_of(with(slurm(), {{"SLURM_NODELIST", list}}));
        EXPECT_NE(text.find(std::string("SLURM_NODELIST: expected a list of hosts")), std::string::npos)
            << text;
    }
}

TEST(ProcessLayout, WithoutANodeListSlurmsLaunchNodeIsTheAddress) {
    auto environment = slurm();
    environment.erase("SLURM_NODELIST");
    EXPECT_NE(failure_of(environment).find("SLURM_NODELIST"), std::string::npos);
    environment["SLURM_LAUNCH_NODE_IPADDR"] = "10.1.2.3";
    EXPECT_EQ(layout_of(environment).address, "10.1.2.3");
}

TEST(ProcessLayout, WhatIsGivenGoesBeforeWhatSlurmSays) {
    const auto layout = layout_of(with(slurm(), {{"MASTER_ADDR", "other"}, {"MASTER_PORT", "4000"}}));
    EXPECT_EQ(layout.address, "other");
    EXPECT_EQ(layout.port, 4000);
    // torchrun inside a step: its ranks are not Slurm's tasks.
    EXPECT_EQ(layout_of(with(slurm(), torchrun())).ranks, 4);
}

TEST(ProcessLayout, ABatchScriptThatSrunDidNotStartIsAlone) {
    auto environment = slurm();
    environment.erase("SLURM_STEP_ID");
    environment["SLURM_PROCID"] = "0";
    EXPECT_EQ(layout_of(environment), ProcessLayout());
}

TEST(ProcessLayout, NamesWhatIsMissing) {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"})
        for (const bool empty : {false, true}) {
            auto environment = torchrun();
            empty ? void(environment[name] = "") : void(environment.erase(name));
            const auto text = failure_of(environment);
            EXPECT_EQ(text.find(std::string("environment: ") + name + ": expected a value beside "), 0u)
                << text;
        }
    for (const char* name : {"SLURM_NTASKS", "SLURM_LOCALID", "SLURM_JOB_ID"}) {
        auto environment = slurm();
        environment.erase(name);
        EXPECT_EQ(failure_of(environment).find(std::string("environment: ") + name + ": expected a value"),
                  0u);
    }
}

TEST(ProcessLayout, NamesWhatIsMalformed) {
    const std::vector<std::pair<std::string, std::string>> bad = {{"RANK", "-1"},
                                                                  {"RANK", "one"},
                                                                  {"RANK", "1 "},
                                                                  {"RANK", "1.5"},
                                                                  {"WORLD_SIZE", "0"},
                                                                  {"WORLD_SIZE", "4x"},
                                                                  {"WORLD_SIZE", "99999999999999999999"},
                                                                  {"LOCAL_RANK", "-1"},
                                                                  {"MASTER_PORT", "0"},
                                                                  {"MASTER_PORT", "65536"},
                                                                  {"MASTER_PORT", "http"}};
    for (const auto& [name, value] : bad) {
        const auto text = failure_of(with(torchrun(), {{name, value}}));
        EXPECT_EQ(text.find("environment: " + name + ": expected a whole number"), 0u) << text;
        EXPECT_NE(text.find("found '" + value + "'"), std::string::npos) << text;
    }
}

TEST(ProcessLayout, NamesWhatContradicts) {
    EXPECT_EQ(failure_of(with(torchrun(), {{"RANK", "4"}})),
              "environment: RANK: expected less than WORLD_SIZE (4), found 4");
    EXPECT_EQ(failure_of({{"RANK", "1"}, {"WORLD_SIZE", "1"}}),
              "environment: RANK: expected less than WORLD_SIZE (1), found 1");
    // Ranks of one machine are counted from its first.
    EXPECT_EQ(failure_of(with(torchrun(), {{"RANK", "0"}})),
              "environment: LOCAL_RANK: expected at most RANK (0), found 1");
    EXPECT_EQ(failure_of(with(slurm(), {{"SLURM_PROCID", "8"}})),
              "environment: SLURM_PROCID: expected less than SLURM_NTASKS (8), found 8");
}

TEST(ProcessLayout, WhatOneProcessDoesIsRefusedToSeveral) {
    const auto text = error_of([] { require_alone(layout_of(torchrun()), "mtlprune reproduce"); });
    EXPECT_NE(text.find("mtlprune reproduce: expected one process"), std::string::npos) << text;
    EXPECT_NE(text.find("rank 3 of 4"), std::string::npos) << text;
}

}  // namespace
}  // namespace mtlprune::process_layout_test
