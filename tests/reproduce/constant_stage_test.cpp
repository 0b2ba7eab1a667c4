// The stage of the predictions that ignore the image.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage.h"
#include "tests/temporary_folder.h"

namespace mtlprune::constant_stage_test {
namespace {

constexpr const char* kData = R"({"kind": "synthetic_rooms", "classes": 13, "train": 9, "test": 3,
    "height": 24, "width": 28})";

Experiment experiment_with(const std::string& stages) {
    return read_experiment(fmt::format(R"({{"name": "blind", "seeds": [3], "data": {}, {},
        "model": "vgg16:channels=[6,6],pools=1/smallaspp:hidden=4"}})",
                                       kData, stages),
                           "test");
}

std::map<std::pair<std::string, std::string>, double> rows_of(const Experiment& experiment,
                                                              const std::string& name) {
    const TemporaryFolder folder;
    const auto plan = plan_stages(experiment);
    EXPECT_EQ(plan.at(0).name, name);
    run_stage(experiment, plan, 0, folder.path(), [](double, const std::string&) {});
    const auto table = Table::read(plan[0].folder(folder.path()) / "results.csv");
    std::map<std::pair<std::string, std::string>, double> rows;
    for (size_t i = 0; i < table.rows().size(); ++i) {
        const auto& row = table.rows()[i];
        EXPECT_EQ(row.stage, name);
        if (row.split != "test") continue;
        EXPECT_TRUE(rows.emplace(std::pair(row.strategy, row.metric), table.number(i)).second);
    }
    return rows;
}

/// The lower one of an even number.
float median(std::vector<float> values) {
    std::sort(values.begin(), values.end());
    return values.at((values.size() - 1) / 2);
}

/// Depths [frame][pixel], NaN where there is no label.
std::vector<std::vector<float>> depths(const Experiment& experiment, const std::string& split) {
    const auto tasks = experiment_tasks(experiment.data);
    std::vector<std::vector<float>> frames;
    for (const auto& batch : collect_split(experiment.data, split))
        for (size_t t = 0; t < tasks.size(); ++t) {
            if (tasks[t].name != "depth") continue;
            const auto& target = batch.targets[t];
            for (int64_t i = 0; i < target.value.size(0); ++i) {
                const auto value = target.value[i].contiguous().view({-1});
                const auto mask = target.mask[i].contiguous().view({-1});
                frames.emplace_back();
                for (int64_t p = 0; p < value.numel(); ++p)
                    frames.back().push_back(mask[p].item<bool>() ? value[p].item<float>() : NAN);
            }
        }
    return frames;
}

std::vector<float> known(const std::vector<float>& values) {
    std::vector<float> result;
    for (const float value : values)
        if (!std::isnan(value)) result.push_back(value);
    return result;
}

/// Mean absolute error on the labelled pixels.
double error_of(const std::vector<float>& prediction, const std::vector<std::vector<float>>& frames) {
    double sum = 0, count = 0;
    for (const auto& frame : frames)
        for (size_t p = 0; p < frame.size(); ++p) {
            if (std::isnan(frame[p])) continue;
            sum += std::abs(static_cast<double>(prediction[p]) - frame[p]);
            count += 1;
        }
    return sum / count;
}

TEST(ConstantStage, WritesBothPredictorsAsMediansSay) {
    const auto experiment = experiment_with(R"("stages": {"position": {"kind": "constant"}})");
    const auto rows = rows_of(experiment, "position");  // a name that is also a strategy of its rows
    const auto train = depths(experiment, "train"), test = depths(experiment, "test");
    ASSERT_EQ(train.size(), 9u);
    std::vector<float> all, map;
    for (const auto& frame : train)
        for (const float value : known(frame)) all.push_back(value);
    for (size_t p = 0; p < train[0].size(); ++p) {
        std::vector<float> here;
        for (const auto& frame : train) here.push_back(frame[p]);
        const auto labelled = known(here);
        map.push_back(labelled.empty() ? median(all) : median(labelled));
    }
    const double constant = error_of(std::vector<float>(map.size(), median(all)), test),
                 position = error_of(map, test);
    EXPECT_NEAR(rows.at({"constant", "abs_err"}), constant, 1e-5);
    EXPECT_NEAR(rows.at({"position", "abs_err"}), position, 1e-5);
    EXPECT_GT(std::abs(constant - position), 0.01);
    for (const auto& [key, value] : rows)
        EXPECT_TRUE(rows.contains({key.first == "constant" ? "position" : "constant", key.second}))
            << key.second;
    EXPECT_EQ(rows.size(), 2u * 12);
}

TEST(ConstantStage, TheTemplateHasItToo) {
    const auto rows = rows_of(experiment_with(R"("dense": {"iterations": 1})"), "constant");
    EXPECT_EQ(rows.size(), 2u * 12);
}

TEST(ConstantStage, ItsStrategiesAreItsOwn) {
    EXPECT_EQ(experiment_with(R"("stages": {"c": {"kind": "constant"}})").stages.at(0).strategy, "constant");
    EXPECT_THROW(experiment_with(R"("stages": {"c": {"kind": "constant", "strategy": "position"}})"), Error);
}

}  // namespace
}  // namespace mtlprune::constant_stage_test
