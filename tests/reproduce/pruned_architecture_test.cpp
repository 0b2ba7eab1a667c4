#include "reproduce/stages/pruned_architecture.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "tests/temporary_folder.h"

namespace mtlprune::pruned_architecture_test {
namespace {

constexpr const char* kPlan = R"({"parameters": [1000, 700, 420, 300], "steps": [
  {"edit": "remove", "slices": [{"tensor": "a", "dim": 0, "indices": [1, 4]}], "groups": []},
  {"edit": "remove", "slices": [{"tensor": "b", "dim": 0, "indices": [0]}], "groups": []},
  {"edit": "remove", "slices": [{"tensor": "a", "dim": 1, "indices": [2]}], "groups": []}]})";

class PrunedArchitectureTest : public ::testing::Test {
  protected:
    void write(const std::string& plan) { write_file_atomically(folder_ / "plan.json", plan); }
    int64_t event_at(double fraction) { return pruned_architecture(folder_.path(), {fraction, {}}).event; }
    std::string message(const ArchitectureChoice& choice) {
        try {
            pruned_architecture(folder_.path(), choice);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    }
    TemporaryFolder folder_;
};

TEST_F(PrunedArchitectureTest, NearestInParametersToTheFractionOfTheDenseNetwork) {
    write(kPlan);
    EXPECT_EQ(event_at(1.0), 0);
    EXPECT_EQ(event_at(0.86), 0);
    EXPECT_EQ(event_at(0.84), 1);
    EXPECT_EQ(event_at(0.57), 1);
    EXPECT_EQ(event_at(0.55), 2);
    EXPECT_EQ(event_at(0.01), 3);
    const auto chosen = pruned_architecture(folder_.path(), {0.4, {}});
    ASSERT_EQ(chosen.steps.size(), 2U);
    EXPECT_EQ(chosen.steps[1].slices[0].tensor, "b");
    EXPECT_EQ(chosen.parameters, 420);
}

/// A pruned architecture may be trained and pruned again: its own steps come first.
TEST_F(PrunedArchitectureTest, StartsWithWhatWasDoneBefore) {
    auto plan = nlohmann::json::parse(kPlan);
    plan["before"] = nlohmann::json::parse(
        R"({"steps": [{"edit": "remove", "slices": [{"tensor": "z", "dim": 0, "indices": [1]}], "groups": []}]})");
    write(plan.dump());
    const auto dense = pruned_architecture(folder_.path(), {1.0, {}});
    ASSERT_EQ(dense.steps.size(), 1U);
    EXPECT_EQ(dense.steps[0].slices[0].tensor, "z");
    EXPECT_EQ(pruned_architecture(folder_.path(), {0.4, {}}).steps.size(), 3U);
}

TEST_F(PrunedArchitectureTest, AnExplicitEventWins) {
    write(kPlan);
    EXPECT_EQ(pruned_architecture(folder_.path(), {0.4, 3}).event, 3);
    EXPECT_EQ(pruned_architecture(folder_.path(), {0.4, 0}).event, 0);
}

TEST_F(PrunedArchitectureTest, AnEventThatNeverHappenedIsAnError) {
    write(kPlan);
    const auto text = message({0.0, 4});
    EXPECT_NE(text.find("event 4 of"), std::string::npos) << text;
    EXPECT_NE(text.find("0..3"), std::string::npos) << text;
}

TEST_F(PrunedArchitectureTest, MissingOrMalformedPlansNameTheFile) {
    const auto file = (folder_ / "plan.json").string();
    EXPECT_NE(message({0.5, {}}).find(file), std::string::npos);
    for (const char* plan :
         {"{", "{}", R"({"steps": []})", R"({"steps": [], "parameters": []})",
          R"({"steps": [], "parameters": [1, 2]})", R"({"steps": [{}], "parameters": [1, 2]})"}) {
        write(plan);
        const auto text = message({0.5, {}});
        EXPECT_NE(text.find(file), std::string::npos) << plan << ": " << text;
    }
}

}  // namespace
}  // namespace mtlprune::pruned_architecture_test
