// Results of a tiny experiment as they were when the behaviour numbers were last raised. These numbers come
// from this program and prove nothing about it; they notice a change of results, so that stored runs are not
// mixed with new ones.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/table.h"
#include "reproduce/stages/stage.h"
#include "tests/temporary_folder.h"

namespace mtlprune::behaviour_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExperiment = R"({
  "name": "behaviour", "seeds": [4],
  "data": {"kind": "synthetic_rooms", "classes": 13, "train": 8, "test": 4, "render_height": 32, "render_width": 40,
           "height": 24, "width": 24},
  "model": "vgg16:channels=[6,6,8],pools=1/smallaspp:hidden=4,dropout=0.2",
  "dense": {"iterations": 4, "batch_size": 4, "optimizer": {"kind": "adam", "lr": 0.003}},
  "prune": {"batch_size": 4, "schedule": {"frequency": 2}, "allocation": {"budget": {"count": 2}}, "iterations": 6,
            "optimizer": {"kind": "adamw", "lr": 0.0005}},
  "retrain": {"iterations": 3, "batch_size": 4, "optimizer": {"kind": "adam", "lr": 0.003},
              "targets": [{"parameters_fraction": 0.8}]}})";

const fs::path kGolden = fs::path(MTLPRUNE_SOURCE_DIR) / "tests/reproduce/behaviour.csv";

Table run_everything() {
    const TemporaryFolder folder;
    const auto experiment = read_experiment(kExperiment, "behaviour");
    const auto plan = plan_stages(experiment);
    Table table;
    const auto numbers = behaviour_of(StageKind::prune, {});
    for (const auto& [room, number] : numbers.items())
        table.add({"behaviour", "none", 0, 0, 0, kNoSplit, kAllTasks, "", ""}, room, number.get<int>());
    for (size_t i = 0; i < plan.size(); ++i) {
        run_stage(experiment, plan, i, folder.path(), [](double, const std::string&) {});
        table.append(Table::read(plan[i].folder(folder.path()) / "results.csv"));
    }
    return table;
}

/// Processors round differently; a pixel or two may change sides.
bool equal_enough(const Table& a, const Table& b, size_t row) {
    if (a.rows()[row].metric == "status") return a.rows()[row].value == b.rows()[row].value;
    const double x = a.number(row), y = b.number(row);
    return std::abs(x - y) <= 2e-3 * std::max(1.0, std::abs(x));
}

TEST(Behaviour, ResultsChangeOnlyWithARaisedNumber) {
    const auto found = run_everything();
    if (const char* path = std::getenv("MTLPRUNE_WRITE_BEHAVIOUR")) {
        found.write(path);
        GTEST_SKIP() << "wrote " << path;
    }
    const auto stored = Table::read(kGolden);
    const std::string how =
        "\nRaise the number in behaviour.h of the room whose results changed, then store them: "
        "MTLPRUNE_WRITE_BEHAVIOUR=" +
        kGolden.string() + " test_reproduce --gtest_filter=Behaviour.*";
    ASSERT_EQ(found.rows().size(), stored.rows().size()) << how;
    for (size_t i = 0; i < found.rows().size(); ++i) {
        auto key = found.rows()[i];
        key.value = stored.rows()[i].value;
        ASSERT_EQ(key, stored.rows()[i]) << "row " << i << how;
        ASSERT_TRUE(equal_enough(found, stored, i))
            << stored.place(i, "value") << ": " << key.stage << ", " << key.metric << ": " << key.value
            << " before, " << found.rows()[i].value << " now" << how;
    }
}

}  // namespace
}  // namespace mtlprune::behaviour_test
