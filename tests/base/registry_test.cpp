#include "base/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/enum_names.h"
#include "tests/bad_input.h"

namespace mtlprune::registry_test {
namespace {

using ::testing::HasSubstr;

struct Shape {
    nlohmann::json options;
};

Registry<Shape> shapes() {
    Registry<Shape> registry("shape");
    const auto make = [](const nlohmann::json& options) { return std::make_unique<Shape>(Shape{options}); };
    registry.add({{.key = "circle", .summary = "round", .paper = ""}, make});
    registry.add({{.key = "box",
                   .summary = "square",
                   .paper = "Euclid",
                   .options = {{"side", 1.5, "length"},
                               {"count", 2, "how many"},
                               {"filled", false, "or not"},
                               {"colour", "red", "of the line", {"red", "blue"}}},
                   .as_released = {{"filled", true}, {"side", 3.0}}},
                  make});
    return registry;
}

TEST(Registry, MakesEntriesWithCompleteOptions) {
    const auto registry = shapes();
    EXPECT_EQ(registry.keys(), (std::vector<std::string>{"circle", "box"}));
    EXPECT_EQ(registry.make("box:colour=blue,side=2")->options,
              (nlohmann::json{{"side", 2}, {"count", 2}, {"filled", false}, {"colour", "blue"}}));
    EXPECT_TRUE(registry.make("circle")->options.empty());
}

TEST(Registry, WhatWasReleasedYieldsToWhatIsAskedFor) {
    const auto options = shapes().make("box:side=7", /*as_released=*/true)->options;
    EXPECT_EQ(options.at("filled"), true);
    EXPECT_EQ(options.at("side"), 7);
}

TEST(Registry, NamesWhatIsWrong) {
    const auto registry = shapes();
    const auto message = [&](const char* text) { return error_of([&] { registry.make(text); }); };
    EXPECT_THAT(message("bx"), HasSubstr("did you mean 'box'"));
    EXPECT_THAT(message("circle:side=1"), HasSubstr("no options"));
    EXPECT_THAT(message("box:sde=1"), HasSubstr("did you mean 'side'"));
    EXPECT_THAT(message("box:count=1.5"), HasSubstr("an integer"));
    EXPECT_THAT(message("box:side=long"), HasSubstr("a number"));
    EXPECT_THAT(message("box:filled=1"), HasSubstr("true or false"));
    EXPECT_THAT(message("box:colour=green"), HasSubstr("red, blue"));
    EXPECT_THAT(message("box:side"), HasSubstr("a number, found true"));
    EXPECT_THAT(message("box:=1"), HasSubstr("KEY:OPTION=VALUE"));
}

TEST(Registry, AKeyIsTakenOnce) {
    auto registry = shapes();
    EXPECT_THROW(registry.add({{.key = "box", .summary = "", .paper = ""}, nullptr}), std::logic_error);
}

enum class Size { small, large };

TEST(EnumNames, GoBothWays) {
    const EnumNames<Size> names = {{Size::small, "small"}, {Size::large, "large"}};
    EXPECT_EQ(names.value("large", "size"), Size::large);
    EXPECT_EQ(names.name(Size::small), "small");
    EXPECT_THAT(error_of([&] { names.value("smal", "option --size"); }),
                AllOf(HasSubstr("option --size"), HasSubstr("did you mean 'small'")));
}

TEST(Choice, ListsMayHoldCommasAndABareOptionMeansTrue) {
    const auto choice = parse_choice("thing", "wide:sizes=[3,[4,5]],loud,name=x");
    EXPECT_EQ(choice.options.at("sizes"), nlohmann::json::parse("[3,[4,5]]"));
    EXPECT_EQ(choice.options.at("loud"), true);
    EXPECT_EQ(choice.options.at("name"), "x");
    EXPECT_EQ(parse_choice("thing", choice_text(choice)).options, choice.options);
    EXPECT_EQ(choice_text({"plain"}), "plain");
}

TEST(Registry, EntriesMayBeMadeForSomething) {
    Registry<std::string, int, const std::string&> things("thing");
    things.add({{.key = "repeated", .summary = "", .paper = "", .options = {{"mark", "!", ""}}},
                [](const nlohmann::json& options, int times, const std::string& word) {
                    std::string text;
                    for (int i = 0; i < times; ++i) text += word + options.at("mark").get<std::string>();
                    return std::make_unique<std::string>(text);
                }});
    EXPECT_EQ(*things.make("repeated:mark=?", 2, "so"), "so?so?");
    EXPECT_EQ(*things.make("repeated", 1, "no"), "no!");
}

}  // namespace
}  // namespace mtlprune::registry_test
