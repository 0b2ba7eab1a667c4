// Scores of every criterion on networks with committed weights, against what
// tests/pruning/golden/derive_scores.py derives from the specification.
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "pruning/regularizers/group_proximal.h"
#include "tests/golden_folder.h"
#include "tests/pruning/criterion_forms.h"
#include "tests/pruning/golden_networks.h"

namespace mtlprune::golden_scores_test {
namespace {

using golden_networks::Subject;

/// $MTLPRUNE_GOLDEN_DIR/scores where that is a folder, else what is committed.
std::filesystem::path scores_dir() {
    const char* chosen = std::getenv("MTLPRUNE_GOLDEN_DIR");
    const auto installed = std::filesystem::path(chosen ? chosen : "") / "scores";
    return chosen && std::filesystem::is_directory(installed) ? installed
                                                              : MTLPRUNE_SOURCE_DIR "/tests/pruning/golden";
}

const nlohmann::json& golden() {
    static const auto json = parse_json(read_file(scores_dir() / "scores.json"), "scores.json");
    return json;
}

struct Case {
    std::string network, kind, form;
    friend std::ostream& operator<<(std::ostream& out, const Case& one) {
        return out << one.network << " " << one.form;
    }
};

std::vector<Case> cases(const std::string& kind) {
    std::vector<Case> all;
    for (const auto& [network, kinds] : golden().items())
        if (kinds.contains(kind))
            for (const auto& item : kinds[kind].items()) all.push_back({network, kind, item.key()});
    return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
    return test_name(info.param.network + "_" + info.param.form);
}

class GoldenScores : public testing::TestWithParam<Case> {
  protected:
    const Case& param = GetParam();
    const nlohmann::json& expected = golden()[param.network][param.kind][param.form];
    std::vector<std::string> groups = golden()[param.network]["groups"];
    Subject subject{scores_dir(), param.network, param.form};

    /// Of the named groups.
    std::vector<torch::Tensor> scores() const { return subject.scores(groups); }
    void expect_scores() const {
        const auto found = scores();
        for (size_t g = 0; g < groups.size(); ++g) {
            const auto values = torch::tensor(expected[g].get<std::vector<double>>(), torch::kDouble);
            EXPECT_TRUE(torch::allclose(found[g], values, 1e-9, 1e-12))
                << groups[g] << "\n"
                << torch::stack({found[g], values}, 1);
        }
    }
};

class GoldenOrders : public GoldenScores {};
class GoldenEvents : public GoldenScores {};

TEST_P(GoldenScores, AreThoseOfTheSpecification) {
    subject.observe(0);
    subject.observe(1);
    expect_scores();
}

TEST_P(GoldenOrders, AreThoseOfTheSpecification) {
    subject.observe(0);
    subject.observe(1);
    std::vector<std::tuple<double, size_t, int64_t>> channels;
    const auto found = scores();
    for (size_t g = 0; g < found.size(); ++g)
        for (int64_t c = 0; c < found[g].numel(); ++c)
            channels.emplace_back(found[g][c].item<double>(), g, c);
    std::sort(channels.begin(), channels.end());
    auto order = nlohmann::json::array();
    for (const auto& [score, g, c] : channels) order.push_back({g, c});
    EXPECT_EQ(order, expected);
}

TEST_P(GoldenEvents, TakeNothingButEndAWindow) {
    subject.observe(0);
    subject.event_that_takes_nothing();
    subject.observe(1);
    expect_scores();
}

INSTANTIATE_TEST_SUITE_P(All, GoldenScores, testing::ValuesIn(cases("scores")), name_of);
INSTANTIATE_TEST_SUITE_P(All, GoldenOrders, testing::ValuesIn(cases("orders")), name_of);
INSTANTIATE_TEST_SUITE_P(All, GoldenEvents, testing::ValuesIn(cases("after_an_event")), name_of);

torch::Tensor matrix(const nlohmann::json& rows) {
    std::vector<torch::Tensor> all;
    for (const auto& row : rows) all.push_back(torch::tensor(row.get<std::vector<double>>(), torch::kDouble));
    return torch::stack(all);
}

TEST(GoldenProximal, StepsAreThoseFoundByBisection) {
    const auto& steps = golden()["proximal"];
    for (const auto& item : steps["solutions"].items()) {
        const auto found = group_proximal(matrix(steps["y"]), matrix(steps["metric"]), std::stod(item.key()));
        EXPECT_TRUE(torch::allclose(found, matrix(item.value()), 1e-9, 1e-12)) << item.key();
    }
}

TEST(GoldenCoverage, EveryCriterionHasScores) {
    const std::map<std::string, std::string> without = {{"random", "draws its scores"},
                                                        {"obd_hutchinson", "draws its directions"},
                                                        {"variance", "an example of these tests"}};
    std::set<std::string> covered;
    for (const char* kind : {"scores", "orders"})
        for (const auto& each : cases(kind)) covered.insert(each.form.substr(0, each.form.find(':')));
    for (const auto& key : criteria().keys())
        EXPECT_NE(covered.contains(key), without.contains(key)) << key << ": see derive_scores.py";
}

}  // namespace
}  // namespace mtlprune::golden_scores_test
