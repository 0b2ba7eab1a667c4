// Validating and describing data sets.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace mtlprune::data_check_test {
namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A folder `rooms` in the AdaShare layout with 5 training and 2 test frames of 32x40.
class DataCheck : public testing::Test {
  protected:
    DataCheck() {
        const auto rendered = run({"data", "render", "--out", "rooms", "--train", "5", "--test", "2",
                                   "--height", "32", "--width", "40"});
        EXPECT_EQ(rendered.code, 0) << rendered.err;
    }
    Outcome run(const Words& arguments) const { return run_program(arguments, folder.path(), kNoPython); }
    TemporaryFolder folder;
};

TEST_F(DataCheck, FindsNothingInSoundData) {
    const auto outcome = run({"data", "check", "nyuv2=rooms"});
    EXPECT_EQ(outcome.code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "7 frames checked, 0 problems\n");
    EXPECT_TRUE(contains(outcome.err, "train: checked 5 of 5 frames")) << outcome.err;
}

TEST_F(DataCheck, PrintsEveryProblemAsATable) {
    const auto list = nlohmann::json::parse(read_file(folder / "rooms/nyu_v2_3task.json"));
    const auto file = [&](const char* split, int frame, int modality) {
        return folder / "rooms" / list[split][frame][modality].get<std::string>();
    };
    fs::remove(file("train", 1, 0));
    fs::resize_file(file("train", 1, 3), 100);
    fs::resize_file(file("train", 4, 1), 30);
    fs::remove(file("test", 1, 2));
    const auto outcome = run({"data", "check", "nyuv2=rooms", "--threads", "2"});
    EXPECT_EQ(outcome.code, 1) << outcome.text();
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1 + 4 + 1) << outcome.out;
    EXPECT_TRUE(contains(outcome.out, "7 frames checked, 4 problems\n")) << outcome.out;
    for (const auto& damaged :
         {file("train", 1, 0), file("train", 1, 3), file("train", 4, 1), file("test", 1, 2)})
        EXPECT_TRUE(contains(outcome.out, damaged.filename().string())) << damaged << "\n" << outcome.out;
    const auto only = run({"data", "check", "nyuv2=rooms", "--split", "test"});
    EXPECT_EQ(only.code, 1);
    EXPECT_TRUE(contains(only.out, "2 frames checked, 1 problem\n")) << only.out;
}

TEST_F(DataCheck, ReportsASplitThatCannotBeOpened) {
    const auto outcome = run({"data", "check", "nyuv2=rooms", "--split", "train", "val"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_TRUE(contains(outcome.out, "split 'val'")) << outcome.out;
    EXPECT_TRUE(contains(outcome.out, "5 frames checked, 1 problem\n")) << outcome.out;
}

TEST_F(DataCheck, StatisticsAreWritten) {
    const auto outcome = run({"data", "stats", "nyuv2=rooms", "--out", "stats", "--classes", "13"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, (folder / "stats").string() + "\n");
    EXPECT_TRUE(contains(outcome.err, "matplotlib")) << outcome.err;
    const auto json = nlohmann::json::parse(read_file(folder / "stats/statistics.json"));
    EXPECT_EQ(json["frames"], 5);
    ASSERT_EQ(json["tasks"].size(), 3u);
    EXPECT_EQ(json["tasks"][0]["total"], 5 * 32 * 40);
    EXPECT_TRUE(contains(read_file(folder / "stats/classes.csv"), "segmentation,12,"));
}

TEST(DataCheckUsage, NamesWhatIsMissing) {
    const TemporaryFolder folder;
    const std::pair<Words, std::string> cases[] = {
        {{"data", "check"}, "data"},
        {{"data", "check", "nyuv3=x"}, "'nyuv2'"},
        {{"data", "check", "idx"}, "idx=DIR"},
        {{"data", "check", "idx=x", "--threads", "0"}, "--threads"},
        {{"data", "stats", "synthetic_rooms"}, "out"},
        {{"data", "stats", "idx=nowhere", "--out", "stats"}, "nowhere"},
        {{"data", "chekc"}, "'check'"},
    };
    for (const auto& [arguments, part] : cases) {
        const auto outcome = run_program(arguments, folder.path());
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        EXPECT_TRUE(contains(outcome.err, part)) << part << ": " << outcome.err;
    }
    EXPECT_FALSE(fs::exists(folder / "stats"));
}

}  // namespace
}  // namespace mtlprune::data_check_test
