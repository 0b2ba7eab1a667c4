#include "reproduce/report/report.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "reproduce/report/html.h"
#include "reproduce/results/csv_table.h"
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

TEST(CsvTable, ReadsNumbersStrictly) {
    const CsvTable table = CsvTable::parse("name,x,k\na,1.5e-3,7\r\nb,nan,-2\n", "t.csv", {"name", "x"});
    EXPECT_EQ(table.rows(), 2);
    EXPECT_EQ(table.text(0, "name"), "a");
    EXPECT_DOUBLE_EQ(table.number(0, "x"), 0.0015);
    EXPECT_TRUE(std::isnan(table.number(1, "x")));
    EXPECT_EQ(table.integer(1, "k"), -2);
}

TEST(CsvTable, ErrorsNameFileLineAndColumn) {
    const CsvTable table = CsvTable::parse("name,x\na,1\n,1.5z\n", "t.csv", {});
    EXPECT_TRUE(
        contains(message_of([&] { table.number(1, "x"); }), "t.csv:3:x: expected a number, found '1.5z'"));
    EXPECT_TRUE(contains(message_of([&] { table.text(1, "name"); }), "t.csv:3:name"));
    EXPECT_TRUE(contains(message_of([&] { table.integer(1, "x"); }), "an integer"));
    EXPECT_TRUE(
        contains(message_of([] { CsvTable::parse("a,b\n1\n", "t.csv", {}); }), "t.csv:2: expected 2 fields"));
    EXPECT_TRUE(contains(message_of([] { CsvTable::parse("a,a\n1,2\n", "t.csv", {}); }), "'a' twice"));
    EXPECT_TRUE(contains(message_of([] { CsvTable::parse("seeds\n1\n", "t.csv", {"seed"}); }),
                         "did you mean 'seeds'"));
    EXPECT_TRUE(contains(message_of([] { CsvTable::parse("a\n", "t.csv", {}); }), "at least one row"));
    EXPECT_TRUE(contains(message_of([] { CsvTable::parse("", "t.csv", {}); }), "a header line"));
    EXPECT_EQ(CsvTable::parse("a\n", "t.csv", {}, true).rows(), 0);
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

TEST(Report, WarnsWhenTheDenseNetworkLearnsNothing) {
    const TemporaryFolder folder;
    FabricatedResults results;
    results.write(folder.path());
    write_report(folder.path());
    EXPECT_FALSE(contains(read_file(folder / "report.html"), "no better than a constant"));
    results.constant.rel_err = 0.2;  // the dense networks have 0.3
    results.write(folder.path());
    write_report(folder.path());
    EXPECT_TRUE(contains(read_file(folder / "report.html"),
                         "no better than a constant prediction in: Relative error"));
}

TEST(Report, MalformedTableLeavesNoReport) {
    const TemporaryFolder folder;
    FabricatedResults().write(folder.path());
    write_file_atomically(folder / "dense.csv", "seed\n0\n");
    EXPECT_TRUE(contains(message_of([&] { write_report(folder.path()); }), "dense.csv:1"));
    EXPECT_FALSE(std::filesystem::exists(folder / "report.html"));
    EXPECT_FALSE(std::filesystem::exists(folder / "claims.json"));
}

TEST(ResultTables, RepeatedRowIsAnError) {
    const TemporaryFolder folder;
    FabricatedResults().write(folder.path());
    std::string table = read_file(folder / "iterative.csv");
    const size_t last = table.rfind('\n', table.size() - 2);
    write_file_atomically(folder / "iterative.csv", table + table.substr(last + 1));
    EXPECT_TRUE(contains(message_of([&] { read_result_tables(folder.path()); }), "(cosprune, 2, 3) again"));
}

}  // namespace
}  // namespace mtlprune::report_test
