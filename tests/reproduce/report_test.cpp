#include "reproduce/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "reproduce/report/html.h"
#include "reproduce/results/result_tables.h"
#include "tests/reproduce/fabricated_results.h"
#include "tests/temporary_folder.h"

namespace mtlprune::report_test {
namespace {

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

size_t count(const std::string& text, const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

TEST(Html, EscapesEverySpecialCharacter) {
    EXPECT_EQ(html_escape("<a b=\"c\">&'x'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;x&#39;");
}

// RFC 4648, section 10.
TEST(Html, Base64TestVectors) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

TEST(Html, TableChecksItsShape) {
    EXPECT_TRUE(contains(html_table({"a<b"}, {{number_cell(-1.25, 1)}}), "<td class=\"number\">−1.2</td>"));
    EXPECT_TRUE(contains(html_table({"a<b"}, {}), "a&lt;b"));
    EXPECT_THROW(html_table({"a", "b"}, {{text_cell("x")}}), Error);
}

TEST(Report, IsSelfContainedAndComplete) {
    const TemporaryFolder folder;
    FabricatedResults results;
    results.run["description"] = "<script>alert('x')</script> & more";
    results.run["differences"] = {"smaller <networks>"};
    results.write(folder.path());
    write_file_atomically(folder / "figure1.png", "not really a PNG");
    write_report(folder.path());
    const std::string html = read_file(folder / "report.html");
    EXPECT_FALSE(contains(html, "<script"));
    EXPECT_TRUE(contains(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more"));
    EXPECT_TRUE(contains(html, "smaller &lt;networks&gt;"));
    EXPECT_TRUE(contains(html, "data:image/png;base64," + base64("not really a PNG")));
    EXPECT_TRUE(contains(html, "figure3.png was not drawn"));
    EXPECT_TRUE(contains(html, "1 min 15 s"));
    EXPECT_TRUE(contains(html, "arXiv:2304.06840"));
    EXPECT_FALSE(contains(html, "src=\"http"));
    for (const char* id : {"id=\"C1\"", "id=\"C2\"", "id=\"C3\""}) EXPECT_EQ(count(html, id), 1u);
    for (const char* tag : {"table", "figure", "section", "div", "ul", "dl", "tr", "td", "p"})
        EXPECT_EQ(count(html, std::string("<") + tag + ">") + count(html, std::string("<") + tag + " "),
                  count(html, std::string("</") + tag + ">"))
            << tag;
    EXPECT_FALSE(contains(html, "<td></td>"));
    EXPECT_TRUE(contains(read_file(folder / "claims.json"), "\"verdict\""));
}

std::string page_of(const FabricatedResults& results) {
    const TemporaryFolder folder;
    results.write(folder.path());
    write_report(folder.path());
    return read_file(folder / "report.html");
}

TEST(Report, WarnsWhenTheDenseNetworkLearnsNothing) {
    FabricatedResults results;
    auto html = page_of(results);
    EXPECT_FALSE(contains(html, "no better than a prediction"));
    EXPECT_TRUE(contains(html, "All networks, dense, pruned and re-trained, are better"));
    EXPECT_TRUE(contains(html,
                         "<td class=\"number\">0.9000</td><td class=\"number\">0.8000</td>"
                         "<td class=\"number\">0.3000 ± 0.0000</td><td>yes</td>"));
    const std::string warning =
        "Dense networks do no better than a prediction that ignores the image in: "
        "Relative error (all 3).";
    results.constant.rel_err = 0.2;  // all networks have 0.3
    html = page_of(results);
    EXPECT_TRUE(contains(html, warning));
    results.constant.rel_err = 0.9;
    results.position.rel_err = 0.3;  // as good is no better
    html = page_of(results);
    EXPECT_TRUE(contains(html, warning));
    EXPECT_LT(html.find(warning), html.find("<h2"));
    EXPECT_TRUE(contains(html, "<td>no</td>"));
}

TEST(Report, NamesThePrunedNetworksThatOnlyBeatTheConstant) {
    FabricatedResults results;  // better than the constant everywhere
    results.position.angle_mean = 21;
    results.iterative = [](const std::string& criterion, int seed, int event) {
        const bool blind = criterion == "cosprune" ? event >= 2 || (event == 1 && seed == 2) : event == 3;
        return FabricatedQuality{0.5, blind ? 22.0 : 20.0, 0.3};
    };
    results.retrained = [](const std::string& criterion, int seed, int configuration) {
        const bool blind = criterion == "taylor" && configuration == 3 && seed == 0;
        return FabricatedQuality{blind ? 0.2 : 0.5, 20, 0.3};
    };
    auto html = page_of(results);
    EXPECT_FALSE(contains(html, "Dense networks do no better"));
    const std::string warning =
        "Pruned networks do no better than a prediction that ignores the image:</strong> Taylor, iterative: "
        "Mean "
        "angle (3 of 12); CosPrune, iterative: Mean angle (7 of 12); Taylor, re-trained: Pixel accuracy (1 "
        "of 12).";
    EXPECT_TRUE(contains(html, warning));
    EXPECT_LT(html.find(warning), html.find("<h2"));
    EXPECT_TRUE(contains(html, "<td>event 3 (125 k parameters)</td>"));
    EXPECT_TRUE(contains(html,
                         "<td>event 1 (500 k parameters, seed 2); events 2 to 3 (250 k to 125 k "
                         "parameters)</td>"));
    EXPECT_TRUE(contains(html, "<td>configuration 3 (125 k parameters, seed 0)</td>"));
    EXPECT_TRUE(contains(html, "<td class=\"number\">21 °</td>"));
    results.position = results.constant;
    EXPECT_FALSE(contains(page_of(results), "no better than a prediction"));
}

TEST(Report, OneOfThreeDenseNetworksIsEnough) {
    FabricatedResults results;
    results.dense = [](int seed) { return FabricatedQuality{0.5, seed == 1 ? 36.0 : 20.0, 0.3}; };
    const auto html = page_of(results);
    EXPECT_TRUE(contains(html, "ignores the image in: Mean angle (1 of 3)."));
    EXPECT_TRUE(contains(html, "<td>in 2 of 3 seeds</td>"));
    EXPECT_TRUE(contains(html, "<td>seed 1</td>"));
}

TEST(Report, ResultsWithoutThePositionOnlyPredictorSaySo) {
    FabricatedResults results;
    EXPECT_FALSE(contains(page_of(results), "lack the position-only"));
    results.keep = [](const TableRow& row) { return row.strategy != "position"; };
    results.constant.rel_err = 0.2;
    const auto html = page_of(results);
    EXPECT_TRUE(contains(html, "The results lack the position-only predictor."));
    EXPECT_TRUE(contains(html, "ignores the image in: Relative error (all 3)."));
    EXPECT_TRUE(contains(html, "<td class=\"number\">0.2000</td><td class=\"number\">–</td>"));
}

TEST(Report, NamesTheStagesWithoutAResult) {
    const TemporaryFolder folder;
    FabricatedResults results;
    results.keep = [](const TableRow& row) { return row.stage != "retrain-taylor-2" || row.seed != 1; };
    results.write(folder.path());
    write_report(folder.path());
    EXPECT_FALSE(contains(read_file(folder / "report.html"), "Stages without a result"));
    write_file_atomically(folder / "results.csv",
                          read_file(folder / "results.csv") +
                              "retrain-taylor-2,taylor,1,0,0,none,all,status,FAILED(ended by signal 9)\n");
    write_report(folder.path());
    EXPECT_TRUE(contains(read_file(folder / "report.html"),
                         "Stages without a result: retrain-taylor-2 seed 1: FAILED(ended by signal 9)"));
}

TEST(Report, NamesTheProgramOrAllThatComputedStages) {
    const TemporaryFolder folder;
    FabricatedResults results;
    const auto page = [&](const nlohmann::json::array_t& programs) {
        results.run["programs"] = programs;
        results.write(folder.path());
        write_report(folder.path());
        return read_file(folder / "report.html");
    };
    const nlohmann::json first = {{"version", "0.2.0"}, {"revision", "abc"}, {"stages", 5}},
                         second = {{"version", "0.2.0"}, {"revision", "def + changes"}, {"stages", 1}};
    EXPECT_TRUE(contains(page({first}), "<dt>Program</dt><dd>mtlprune 0.2.0 (revision abc)</dd>"));
    EXPECT_TRUE(
        contains(page({first, second}),
                 "<dd>Not all stages were computed by the same program: mtlprune 0.2.0 (revision abc) "
                 "computed 5 stages, 0.2.0 (revision def + changes) computed 1 stage.</dd>"));
    EXPECT_TRUE(contains(message_of([&] {
                             page({first, nlohmann::json{{"version", "1"}}});
                         }),
                         "programs[1]"));
    EXPECT_TRUE(contains(message_of([&] { page({}); }), "run.json: programs"));
}

TEST(Report, MalformedTableLeavesNoReport) {
    const TemporaryFolder folder;
    FabricatedResults().write(folder.path());
    write_file_atomically(folder / "results.csv", read_file(folder / "results.csv") + "dense,dense,0\n");
    EXPECT_TRUE(contains(message_of([&] { write_report(folder.path()); }), "9 cells, found 3"));
    EXPECT_FALSE(std::filesystem::exists(folder / "report.html"));
    EXPECT_FALSE(std::filesystem::exists(folder / "claims.json"));
}

ResultTables tables_of(const FabricatedResults& results) {
    const TemporaryFolder folder;
    results.write(folder.path());
    return read_result_tables(folder.path());
}

TEST(ResultTables, OfATrainingStageTheSelectedEvaluationCounts) {
    FabricatedResults results;
    results.retrained = [](const std::string&, int seed, int) {
        return FabricatedQuality{0.25, 10.0 + seed, 0.5};
    };
    const auto tables = tables_of(results);
    ASSERT_EQ(tables.retrained.size(), 24u);
    for (const auto& network : tables.retrained) {
        EXPECT_EQ(network.value("pixel_accuracy"), 0.25);
        EXPECT_EQ(network.value("angle_mean"), 10.0 + static_cast<double>(network.seed));
        EXPECT_EQ(network.event, network.configuration);
        EXPECT_EQ(network.parameters, 1000000 >> network.event);
    }
    EXPECT_EQ(criteria_of(tables.retrained), (std::vector<std::string>{"taylor", "cosprune"}));
    EXPECT_EQ(tables.iterative.at(0).value("loss_depth"), 0.5);
}

TEST(ResultTables, ThePredictorsThatIgnoreTheImage) {
    FabricatedResults results;
    results.position = {0.05, 35, std::nan("")};
    const auto tables = tables_of(results);
    EXPECT_EQ(tables.constant_predictor.at("rel_err"), 0.9);
    EXPECT_EQ(tables.position_predictor.at("angle_mean"), 35);
    std::map<std::string, double> best;
    for (const auto& metric : tables.primary_metrics()) best[metric.name] = tables.blind_value(metric);
    EXPECT_EQ(best,
              (std::map<std::string, double>{{"pixel_accuracy", 0.1}, {"angle_mean", 35}, {"rel_err", 0.9}}));
    results.keep = [](const TableRow& row) { return row.stage != "constant"; };
    EXPECT_TRUE(contains(message_of([&] { tables_of(results); }), "stage constant"));
    const TemporaryFolder folder;
    FabricatedResults().write(folder.path());
    write_file_atomically(folder / "results.csv", read_file(folder / "results.csv") +
                                                      "constant,other,0,0,0,test,depth,rel_err,0.5\n");
    EXPECT_TRUE(contains(message_of([&] { read_result_tables(folder.path()); }), "a second one"));
}

TEST(ResultTables, AMissingRowNamesStageSeedAndEvent) {
    const auto without = [](const std::string& stage, const std::string& metric) {
        FabricatedResults results;
        results.keep = [=](const TableRow& row) {
            return row.stage != stage || (row.metric != metric && !metric.empty()) || row.seed != 1;
        };
        return message_of([&] { tables_of(results); });
    };
    const auto message = without("prune-taylor", "miou");
    EXPECT_TRUE(contains(message, "stage prune-taylor, seed 1, event 0") && contains(message, "miou"))
        << message;
    EXPECT_TRUE(contains(without("retrain-cosprune-2", "macs"), "retrain-cosprune-2, seed 1, event 2"));
    EXPECT_EQ(without("dense", ""), "no error");  // a seed that did not run
    FabricatedResults results;
    results.keep = [](const TableRow& row) { return row.stage != "dense"; };
    EXPECT_TRUE(contains(message_of([&] { tables_of(results); }), "stage dense"));
    results.keep = [](const TableRow& row) { return row.metric != "selected_step"; };
    EXPECT_TRUE(contains(message_of([&] { tables_of(results); }), "at two steps"));
}

TEST(Report, ShowsTheLastNetworksBesideSelectedOnes) {
    const TemporaryFolder folder;
    FabricatedResults results;
    results.write(folder.path());
    const auto without = read_result_tables(folder.path());
    for (const auto& network : without.retrained) EXPECT_TRUE(network.last_values.empty());
    write_report(folder.path());
    EXPECT_FALSE(contains(read_file(folder / "report.html"), "Selected and last networks"));
    results.other_evaluation = 40;
    results.write(folder.path());
    const auto with = read_result_tables(folder.path());
    for (const auto& network : with.retrained) {
        EXPECT_GT(network.value("pixel_accuracy"), 0.0);
        EXPECT_EQ(network.last_values.at("pixel_accuracy"), 0.0);
    }
    for (const auto& network : with.iterative) EXPECT_TRUE(network.last_values.empty());
    write_report(folder.path());
    EXPECT_TRUE(contains(read_file(folder / "report.html"),
                         fmt::format("Selected and last networks</h2>\n<p>Networks that were selected before "
                                     "the end of their training (n = {},",
                                     with.retrained.size())));
}

}  // namespace
}  // namespace mtlprune::report_test
