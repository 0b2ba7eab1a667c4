// docs/methods.md is what the registries say.
#include <gtest/gtest.h>

#include "pruning/criteria/criterion.h"
#include "pruning/regularizers/regularizer.h"
#include "reproduce/strategies/strategy.h"
#include "tests/cli/program.h"

namespace mtlprune::methods_table_test {
namespace {

const std::filesystem::path kSource = MTLPRUNE_SOURCE_DIR;
const auto kCosts = kSource / "bench/results/xeon-2vcpu_libtorch1.13/criteria.json";

TEST(MethodsTable, IsTheOneInTheDocuments) {
    const TemporaryFolder folder;
    const auto run =
        run_program({"list", "--markdown", "methods", "--costs", kCosts.string()}, folder.path());
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.out, read_file(kSource / "docs/methods.md"))
        << "write it again: mtlprune list --markdown methods --costs ... > docs/methods.md";
}

TEST(MethodsTable, HasALineForEveryMethodWithoutMeasurementsToo) {
    const TemporaryFolder folder;
    const auto text = run_program({"list", "--markdown", "methods"}, folder.path()).out;
    auto names = criteria().keys();
    for (const auto& key : regularizers().keys()) names.push_back(key);
    for (const auto& name : strategy_names()) names.push_back(name);
    for (const auto& name : names) EXPECT_NE(text.find("\n| `" + name + "` |"), std::string::npos) << name;
    EXPECT_EQ(text.find("| |"), std::string::npos) << "an empty cell";
}

TEST(MethodsTable, RefusesWhatIsNoMeasurement) {
    const TemporaryFolder folder;
    write_file_atomically(folder.path() / "none.json", R"({"benchmarks": []})");
    const auto run = run_program({"list", "--markdown", "methods", "--costs", "none.json"}, folder.path());
    EXPECT_EQ(run.code, 2);
    EXPECT_NE(run.err.find("none.json"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace mtlprune::methods_table_test
