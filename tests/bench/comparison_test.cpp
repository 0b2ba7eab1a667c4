#include "bench/compare/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/bad_input.h"
#include "tests/bench/results_text.h"

namespace mtlprune::bench::comparison_test {
namespace {

using Times = std::vector<double>;

const Times kSix = {10, 11, 10, 12, 10, 11};

Times scaled(const Times& times, double factor) {
    Times result;
    for (const double time : times) result.push_back(factor * time);
    return result;
}

Comparison compare_files(const std::vector<std::string>& base, const std::vector<std::string>& now,
                         const ComparisonOptions& options = {}) {
    return compare({file(base)}, {file(now)}, options);
}

TEST(Comparison, OfPairsIsFreeOfWhatBothSidesShare) {
    // Repetitions vary by 20 %, but each pair by exactly 5 %: 6 of 6 averages are log(1.05), p = 1/64.
    const auto result = compare_files({entries("a", kSix)}, {entries("a", scaled(kSix, 1.05))});
    ASSERT_EQ(result.rows.size(), 1u);
    const auto& row = result.rows[0];
    EXPECT_DOUBLE_EQ(row.base, 10.5e6);  // the median of 10 10 10 11 11 12, in ns
    EXPECT_DOUBLE_EQ(row.now, 10.5e6 * 1.05);
    EXPECT_NEAR(row.decision->ratio, 1.05, 1e-12);
    EXPECT_NEAR(row.decision->low, 1.05, 1e-12);
    EXPECT_EQ(row.decision->verdict, Verdict::worse);
    EXPECT_TRUE(result.fails());
    EXPECT_EQ(result.summary(), "1 of 1 benchmarks worse; 0 same, 0 better, 0 need more data");
}

TEST(Comparison, FailsOnlyWhatIsWorse) {
    EXPECT_FALSE(compare_files({entries("a", kSix)}, {entries("a", kSix)}).fails());
    const auto better = compare_files({entries("a", kSix)}, {entries("a", scaled(kSix, 0.9))});
    EXPECT_EQ(better.rows[0].decision->verdict, Verdict::better);
    EXPECT_FALSE(better.fails());
    const auto open = compare_files({entries("a", kSix)}, {entries("a", {20, 5, 20, 5, 20, 5})});
    EXPECT_EQ(open.rows[0].decision->verdict, Verdict::need_more_data);
    EXPECT_FALSE(open.fails());
}

TEST(Comparison, ReadsAnyMetricInEitherDirection) {
    const auto rate = [](double value) { return fmt::format(R"("rate": {})", value); };
    ComparisonOptions options;
    options.metric = {"rate", true};
    const auto result =
        compare_files({entries("a", kSix, rate(100))}, {entries("a", kSix, rate(80))}, options);
    EXPECT_NEAR(result.rows[0].decision->ratio, 1.25, 1e-12);  // as a cost
    EXPECT_TRUE(result.fails());
    options.metric = {"cpu_time", false};
    EXPECT_DOUBLE_EQ(compare_files({entries("a", kSix)}, {entries("a", kSix)}, options).rows[0].base, 5.25e6);
}

TEST(Comparison, FilesAreRounds) {
    const auto a = file({entries("a", {10, 11, 10})}), b = file({entries("a", {20, 22, 20})});
    const auto result = compare({a, b}, {a, b}, {});
    EXPECT_EQ(result.rows[0].decision->pairs, 6);
    EXPECT_EQ(result.rows[0].decision->verdict, Verdict::same);
    EXPECT_NE(error_of([&] { compare({a, b}, {a}, {}); }).find("2 and 1"), std::string::npos);
}

TEST(Comparison, CountersMustStayWhatTheyAre) {
    const auto base = entries("a", kSix, R"("accuracy": 0.8)"),
               now = entries("a", kSix, R"("accuracy": 0.799)");
    ComparisonOptions options;
    options.counters = {{"accuracy", 0}};
    EXPECT_FALSE(compare_files({base}, {base}, options).fails());
    const auto changed = compare_files({base}, {now}, options);
    EXPECT_TRUE(changed.fails());
    EXPECT_EQ(changed.rows[0].broken, (std::vector<std::string>{"accuracy was 0.8 and is 0.799"}));
    options.counters = {{"accuracy", 0.01}};
    EXPECT_FALSE(compare_files({base}, {now}, options).fails());
    options.counters = {{"accuracy", 0.001}};  // 0.799 differs by 0.00125 of 0.8
    EXPECT_TRUE(compare_files({base}, {now}, options).fails());
    const auto lost = compare_files({base}, {entries("a", kSix)}, options);
    EXPECT_EQ(lost.rows[0].broken, (std::vector<std::string>{"accuracy is only on the base side"}));
    options.counters = {{"acuracy", 0}};
    EXPECT_NE(error_of([&] { compare_files({base}, {base}, options); }).find("'acuracy'"), std::string::npos);
}

TEST(Comparison, ErrorsOfTheNewSideFailAndThoseOfTheBaseAreNoted) {
    const std::string failed =
        R"({"name": "a", "run_name": "a", "run_type": "iteration", "error_occurred": true, "error_message": "no GPU",
            "real_time": 0, "cpu_time": 0, "time_unit": "ns"})";
    const auto now = compare_files({entries("a", kSix), entries("b", kSix)}, {failed, entries("b", kSix)});
    EXPECT_TRUE(now.fails());
    EXPECT_EQ(now.rows[0].broken, (std::vector<std::string>{"error: no GPU"}));
    const auto base = compare_files({failed, entries("b", kSix)}, {entries("a", kSix), entries("b", kSix)});
    EXPECT_FALSE(base.fails());
    EXPECT_EQ(base.notes, (std::vector<std::string>{"failed in base: a: no GPU"}));
}

TEST(Comparison, BenchmarksOfOneSideAreNamed) {
    const auto result = compare_files({entries("a", kSix), entries("old", kSix)},
                                      {entries("a", kSix), entries("fresh", kSix)});
    EXPECT_EQ(result.notes, (std::vector<std::string>{"only in base: old", "only in new: fresh"}));
    const auto message = error_of([&] { compare_files({entries("old", kSix)}, {entries("fresh", kSix)}); });
    EXPECT_NE(message.find("base has old; new has fresh"), std::string::npos) << message;
}

TEST(Comparison, SaysHowManyRepetitionsItNeeds) {
    const Times five = {10, 10, 10, 10, 10};
    const auto one = error_of([&] { compare_files({entries("a", five)}, {entries("a", five)}); });
    EXPECT_NE(one.find("at least 6 repetitions"), std::string::npos) << one;
    EXPECT_NE(one.find("found 5"), std::string::npos) << one;
    // Two benchmarks share the rate: 1/128 <= 0.01.
    const auto two = error_of([&] {
        compare_files({entries("a", kSix), entries("b", kSix)}, {entries("a", kSix), entries("b", kSix)});
    });
    EXPECT_NE(two.find("at least 7 repetitions"), std::string::npos) << two;
    const auto uneven = error_of([&] { compare_files({entries("a", kSix)}, {entries("a", five)}); });
    EXPECT_NE(uneven.find("6 and 5"), std::string::npos) << uneven;
}

TEST(Comparison, OfDifferentConditionsIsRefusedUnlessForced) {
    auto context = std::string(kContext);
    context.replace(context.find("1.13.0"), 6, "2.11.0");
    const std::vector<BenchmarkFile> base = {file({entries("a", kSix)})},
                                     now = {file({entries("a", kSix)}, context)};
    const auto message = error_of([&] { compare(base, now, {}); });
    EXPECT_NE(message.find("libtorch: \"1.13.0\" and \"2.11.0\""), std::string::npos) << message;
    ComparisonOptions options;
    options.force = true;
    const auto forced = compare(base, now, options);
    ASSERT_EQ(forced.notes.size(), 1u);
    EXPECT_NE(forced.notes[0].find("libtorch"), std::string::npos);
}

TEST(Comparison, MetricsMustBePositiveNumbers) {
    ComparisonOptions options;
    options.metric.name = "real_tim";
    EXPECT_NE(error_of([&] {
                  compare_files({entries("a", kSix)}, {entries("a", kSix)}, options);
              }).find("'real_time'"),
              std::string::npos);
    const Times zero(6);
    EXPECT_NE(error_of([&] {
                  compare_files({entries("a", kSix)}, {entries("a", zero)});
              }).find("a positive number"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::bench::comparison_test
