// Every kind of job on real NYUv2 frames in the AdaShare layout, made by the preparation script beside them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/table.h"
#include "tests/cli/program.h"
#include "tests/data_folder.h"

namespace mtlprune::real_data_test {
namespace {

namespace fs = std::filesystem;

/// The frames and prepare.py: $MTLPRUNE_TEST_DATA/nyuv2 or their usual place beside the project.
fs::path frames() {
    return real_data() / "nyuv2";
}

/// 12 training and 6 test frames of 160x120 in `folder`; false when the script cannot run.
bool prepare(const fs::path& folder) {
    const auto command = "/usr/bin/python3 " + (frames() / "prepare.py").string() + " " + folder.string() +
                         " --train 12 --test 6 --scale 0.25 > " + (folder.string() + ".log") + " 2>&1";
    return std::system(command.c_str()) == 0;
}

class RealFrames : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!fs::exists(frames() / "prepare.py"))
            GTEST_SKIP() << "no frames in " << frames() << " (set MTLPRUNE_TEST_DATA)";
        if (!prepare(folder_ / "nyuv2"))
            GTEST_SKIP() << "prepare.py cannot run: " << read_file(folder_ / "nyuv2.log");
    }

    TemporaryFolder folder_;
};

/// The last evaluation in a stage's rows.
std::map<std::string, double> last_evaluation(const Table& rows) {
    std::map<std::string, double> values;
    for (size_t i = 0; i < rows.rows().size(); ++i)
        if (rows.rows()[i].split == "test") values[rows.rows()[i].metric] = rows.number(i);
    return values;
}

TEST_F(RealFrames, TrainPruneRetrainAndReport) {
    const auto options = tiny_experiment() + Words{"--data", "nyuv2=nyuv2",    "--set", "data.train=0",
                                                   "--set",  "data.test=0",    "--set", "data.classes=40",
                                                   "--set",  "data.height=60", "--set", "data.width=80"};
    const auto outcome = run_program(Words{"reproduce", "--results", "results"} + options, folder_.path());
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(fs::exists(folder_ / "results/report.html"));
    EXPECT_TRUE(fs::exists(folder_ / "results/figure1.png"));
    size_t trained = 0;
    for (const auto& [name, content] : files_below(folder_ / "runs")) {
        if (fs::path(name).filename() != "results.csv" || name.starts_with("constant")) continue;
        const auto row = last_evaluation(Table::parse(content, name));
        ASSERT_EQ(row.count("rel_err"), 1u) << name;
        // Indoor depths lie between 0.7 and 10 m, so an untrained network is off by less than ten metres.
        EXPECT_GT(row.at("abs_err"), 0.0) << name;
        EXPECT_LT(row.at("abs_err"), 10.0) << name;
        EXPECT_GE(row.at("pixel_accuracy"), 0.0) << name;
        EXPECT_LE(row.at("pixel_accuracy"), 1.0) << name;
        EXPECT_GT(row.at("angle_mean"), 0.0) << name;
        EXPECT_LT(row.at("angle_mean"), 180.0) << name;
        ++trained;
    }
    EXPECT_EQ(trained, 6u);  // dense, two criteria, the dense architecture again, one target per criterion
}

}  // namespace
}  // namespace mtlprune::real_data_test
