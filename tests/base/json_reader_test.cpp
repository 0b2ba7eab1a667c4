#include "base/json_reader.h"

#include <gtest/gtest.h>

#include "tests/bad_input.h"

namespace mtlprune::json_reader_test {
namespace {

JsonReader reader_of(const std::string& text) {
    return {parse_json(text, "run.json"), "run.json: model"};
}

void expect_message(const std::string& message, const std::vector<std::string>& parts) {
    for (const auto& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Config, ReadsValuesAndDefaults) {
    auto reader = reader_of(R"({"width": 64, "rate": 2, "name": "vgg", "deep": true, "sizes": [1, 2]})");
    EXPECT_EQ(reader.get<int64_t>("width", 1), 64);
    EXPECT_EQ(reader.get<double>("rate", 0.5), 2.0);
    EXPECT_EQ(reader.require<std::string>("name"), "vgg");
    EXPECT_TRUE(reader.get<bool>("deep", false));
    EXPECT_EQ(reader.get<std::vector<int64_t>>("sizes", {}), (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(reader.get<int64_t>("absent", 7), 7);
    EXPECT_TRUE(reader.has("width"));
    EXPECT_FALSE(reader.has("absent"));
    EXPECT_NO_THROW(reader.finish());
}

TEST(Config, NamesPlaceKeyExpectedAndFoundForAWrongType) {
    auto reader = reader_of(R"({"width": 6.5, "rate": "fast", "name": 3, "deep": 1, "sizes": ["a"]})");
    expect_message(error_of([&] { reader.get<int64_t>("width", 1); }),
                   {"run.json: model: width", "expected an integer, found 6.5"});
    expect_message(error_of([&] { reader.get<double>("rate", 1); }),
                   {"rate", "expected a number, found \"fast\""});
    expect_message(error_of([&] { reader.get<std::string>("name", ""); }), {"expected a string, found 3"});
    expect_message(error_of([&] { reader.get<bool>("deep", false); }), {"expected true or false, found 1"});
    expect_message(error_of([&] { reader.get<std::vector<int64_t>>("sizes", {}); }),
                   {"sizes", "found [\"a\"]"});
    expect_message(error_of([&] { reader.require<int64_t>("depth"); }),
                   {"expected key 'depth', found nothing"});
}

TEST(Config, UnknownKeysNameTheNearestKnownOne) {
    auto reader = reader_of(R"({"widht": 64})");
    reader.get<int64_t>("width", 1);
    reader.get<int64_t>("classes", 1);
    expect_message(error_of([&] { reader.finish(); }),
                   {"run.json: model", "'widht'", "did you mean 'width'?"});
}

TEST(Config, ChoicesAndRangesAreChecked) {
    auto reader = reader_of(R"({"optimizer": "adm", "rate": 1.5, "epochs": -1})");
    expect_message(error_of([&] {
                       reader.choice("optimizer", "sgd", {"sgd", "adam"});
                   }),
                   {"one of sgd, adam", "'adm'", "did you mean 'adam'?"});
    expect_message(error_of([&] { reader.number("rate", 0.1, 0.0, 1.0); }),
                   {"a number in [0, 1], found 1.5"});
    expect_message(error_of([&] { reader.integer("epochs", 1, 0, 9); }), {"an integer in [0, 9], found -1"});
    EXPECT_EQ(reader.choice("schedule", "cosine", {"cosine", "step"}), "cosine");
    EXPECT_EQ(reader.number("decay", 1.0, 0.0, 1.0), 1.0);
    EXPECT_EQ(reader.integer("batch", 9, 0, 9), 9);
}

TEST(Config, ChildrenNameTheirPlaceAndAbsentOnesAreEmpty) {
    auto reader = reader_of(R"({"head": {"width": "x"}})");
    auto head = reader.child("head");
    expect_message(error_of([&] { head.get<int64_t>("width", 1); }), {"run.json: model: head: width"});
    EXPECT_EQ(reader.child("tail").get<int64_t>("width", 5), 5);
    EXPECT_NO_THROW(reader.finish());
    auto wrong = reader_of(R"({"head": 3})");
    expect_message(error_of([&] { wrong.child("head"); }),
                   {"run.json: model: head", "an object {...}, found 3"});
}

TEST(Config, ParsesCommentsAndNamesThePlaceOfMistakes) {
    EXPECT_EQ(parse_json("{\"a\": 1 // one\n}", "a.json")["a"], 1);
    expect_message(error_of([] { parse_json("{\"a\":\n 1,, }", "a.json"); }),
                   {"a.json", "line 2", "column 4"});
    expect_message(error_of([] { parse_json("", "a.json"); }), {"a.json"});
    expect_message(error_of([] { parse_json("[1e999]", "a.json"); }), {"a.json", "overflow", "1e999"});
}

TEST(Config, NearestNameIsCloseOrNothing) {
    const std::vector<std::string> names = {"taylor", "magnitude", "cosine"};
    EXPECT_EQ(nearest_name("tailor", names), "taylor");
    EXPECT_EQ(nearest_name("magn", names), "magnitude");
    EXPECT_EQ(nearest_name("xyzxyzxyz", names), "");
    EXPECT_EQ(did_you_mean("cosin", names), " (did you mean 'cosine'?)");
    EXPECT_EQ(did_you_mean("xyzxyzxyz", names), "");
}

}  // namespace
}  // namespace mtlprune::json_reader_test
