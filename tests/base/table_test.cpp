#include "base/table.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <functional>
#include <limits>

#include "base/atomic_file.h"
#include "base/error.h"
#include "tests/temporary_folder.h"

namespace mtlprune::table_test {
namespace {

const std::string kHeader = "stage,strategy,seed,event,step,split,task,metric,value\n";

TableRow key() {
    return {"prune-taylor", "taylor", 3, 2, 40, "test", "depth", "", ""};
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string message_of(const std::string& text) {
    return message_of([&] { Table::parse(text, "t.csv"); });
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Table, WritesOneNumberPerRow) {
    Table table;
    table.add(key(), "rel_err", 0.1);
    table.add({"dense", "dense", 0, 0, 0, kNoSplit, kAllTasks, "status", "PASSED"});
    EXPECT_EQ(table.text(), kHeader +
                                "prune-taylor,taylor,3,2,40,test,depth,rel_err,0.1\n"
                                "dense,dense,0,0,0,none,all,status,PASSED\n");
}

TEST(Table, EveryDoubleComesBackAsItWasUnderEveryLocale) {
    const double numbers[] = {0.1,
                              1.0 / 3.0,
                              38664,
                              -0.0,
                              1e-310,
                              1.7976931348623157e308,
                              5340800000000001.0,
                              1e22,
                              std::numeric_limits<double>::infinity(),
                              std::nan("")};
    for (const char* locale : {"C", "de_DE.UTF-8", "fr_FR.UTF-8"}) {
        if (std::setlocale(LC_ALL, locale) == nullptr) continue;
        Table table;
        for (size_t i = 0; i < std::size(numbers); ++i) table.add(key(), "m" + std::to_string(i), numbers[i]);
        const auto back = Table::parse(table.text(), "t.csv");
        for (size_t i = 0; i < std::size(numbers); ++i) {
            EXPECT_TRUE(back.number(i) == numbers[i] || std::isnan(numbers[i])) << numbers[i];
            EXPECT_EQ(std::signbit(back.number(i)), std::signbit(numbers[i]));
        }
        EXPECT_TRUE(std::isnan(back.number(std::size(numbers) - 1)));
    }
    std::setlocale(LC_ALL, "C");
}

TEST(Table, ReadsWhatItWrote) {
    const TemporaryFolder folder;
    Table table;
    table.add(key(), "rel_err", 0.25);
    table.write(folder / "results.csv");
    const auto back = Table::read(folder / "results.csv");
    EXPECT_EQ(back.rows(), table.rows());
    EXPECT_TRUE(contains(back.place(0, "value"), "results.csv:2:value"));
    EXPECT_EQ(Table::parse(kHeader, "t.csv").rows().size(), 0u);
    EXPECT_EQ(Table::parse(kHeader + "a,b,0,0,0,test,c,d,1\r\n", "t.csv").rows().at(0).value, "1");
}

TEST(Table, ErrorsNameFileLineAndColumn) {
    EXPECT_TRUE(contains(message_of(std::string()), "t.csv:1: expected a header line"));
    EXPECT_TRUE(contains(message_of("stage,seed\n"), "t.csv:1: expected the header line"));
    EXPECT_TRUE(contains(message_of(kHeader + "a,b,0,0,0,test,c,d,1\na,b,0\n"),
                         "t.csv:3: expected 9 cells, found 3"));
    EXPECT_TRUE(contains(message_of(kHeader + "a,b,0,0,0,test,c,d,\n"), "t.csv:2:value"));
    EXPECT_TRUE(contains(message_of(kHeader + "a,,0,0,0,test,c,d,1\n"), "t.csv:2:strategy"));
    EXPECT_TRUE(
        contains(message_of(kHeader + "a,b,-1,0,0,test,c,d,1\n"), "t.csv:2:seed: expected an integer"));
    EXPECT_TRUE(contains(message_of(kHeader + "a,b,0,x,0,test,c,d,1\n"), "t.csv:2:event"));
    EXPECT_TRUE(contains(message_of(kHeader + "a,b,0,0,1.5,test,c,d,1\n"), "t.csv:2:step"));
    const auto word = Table::parse(kHeader + "a,b,0,0,0,test,c,d,1.5z\n", "t.csv");
    EXPECT_TRUE(
        contains(message_of([&] { word.number(0); }), "t.csv:2:value: expected a number, found '1.5z'"));
}

TEST(Table, ARowThatOccursTwiceIsRefused) {
    const auto message =
        message_of(kHeader + "a,b,0,0,0,test,c,d,1\na,b,1,0,0,test,c,d,1\na,b,0,0,0,test,c,d,2\n");
    EXPECT_TRUE(contains(message, "t.csv:4")) << message;
    EXPECT_TRUE(contains(message, "first in line 2")) << message;
    Table table;
    table.add(key(), "miou", 1);
    table.add(key(), "miou", 2);
    EXPECT_THROW(table.text(), Error);
}

TEST(Table, CellsThatWouldBreakTheFileAreRefused) {
    Table table;
    for (const char* bad : {"", "a,b", "a\nb", "a\"b", "a\rb"}) {
        auto row = key();
        row.metric = "status";
        row.value = bad;
        EXPECT_THROW(table.add(row), Error) << bad;
        row.value = "1";
        row.stage = bad;
        EXPECT_THROW(table.add(row), Error) << bad;
    }
    EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace mtlprune::table_test
