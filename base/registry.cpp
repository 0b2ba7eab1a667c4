#include "base/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/json_reader.h"

namespace mtlprune {
namespace {

nlohmann::json value_of(const std::string& text) {
    auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    return value.is_discarded() ? nlohmann::json(text) : value;
}

/// At the commas outside of brackets.
std::vector<std::string> split_options(const std::string& text) {
    std::vector<std::string> parts(1);
    int depth = 0;
    for (const char character : text) {
        depth += character == '[' ? 1 : character == ']' ? -1 : 0;
        if (character == ',' && depth == 0)
            parts.emplace_back();
        else
            parts.back() += character;
    }
    return parts;
}

const char* kind_of(const nlohmann::json& value) {
    if (value.is_boolean()) return "true or false";
    if (value.is_number_integer()) return "an integer";
    if (value.is_array()) return "a list";
    return value.is_number() ? "a number" : "a word";
}

bool fits(const nlohmann::json& value, const Option& option) {
    if (option.fallback.is_number_float()) return value.is_number();
    if (option.fallback.is_number_integer()) return value.is_number_integer();
    if (value.type() != option.fallback.type()) return false;
    return option.choices.empty() || std::find(option.choices.begin(), option.choices.end(),
                                               value.get<std::string>()) != option.choices.end();
}

void check_option(const std::string& place, const Description& entry, const std::string& name,
                  const nlohmann::json& value) {
    std::vector<std::string> names;
    for (const auto& option : entry.options) {
        names.push_back(option.name);
        if (option.name != name) continue;
        if (fits(value, option)) return;
        throw Error("option", place + ": " + name,
                    option.choices.empty() ? kind_of(option.fallback)
                                           : fmt::format("one of {}", fmt::join(option.choices, ", ")),
                    value.dump());
    }
    throw Error("option", place,
                names.empty() ? "no options" : fmt::format("one of the options {}", fmt::join(names, ", ")),
                "'" + name + "'" + did_you_mean(name, names));
}

}  // namespace

Choice parse_choice(const std::string& subject, const std::string& text) {
    const size_t colon = text.find(':');
    Choice choice{text.substr(0, colon)};
    if (colon == std::string::npos) return choice;
    for (const auto& part : split_options(text.substr(colon + 1))) {
        const size_t equals = part.find('=');
        if (part.empty() || equals == 0)
            throw Error(subject, "'" + text + "'", "KEY or KEY:OPTION=VALUE,OPTION=VALUE", "'" + part + "'");
        choice.options[part.substr(0, equals)] =
            equals == std::string::npos ? nlohmann::json(true) : value_of(part.substr(equals + 1));
    }
    return choice;
}

std::string choice_text(const Choice& choice) {
    std::string text = choice.key;
    for (const auto& [name, value] : choice.options.items())
        text += fmt::format("{}{}={}", text.size() == choice.key.size() ? ":" : ",", name,
                            value.is_string() ? value.get<std::string>() : value.dump());
    return text;
}

nlohmann::json complete_options(const std::string& subject, const Description& entry,
                                const nlohmann::json& given, bool as_released) {
    const auto place = subject + " " + entry.key;
    for (const auto& [name, value] : given.items()) check_option(place, entry, name, value);
    auto options = nlohmann::json::object();
    for (const auto& option : entry.options) options[option.name] = option.fallback;
    if (as_released) options.update(entry.as_released);
    options.update(given);
    return options;
}

Error unknown_key(const std::string& subject, const std::string& key, const std::vector<std::string>& known) {
    return Error(subject, "name", fmt::format("one of {}", fmt::join(known, ", ")),
                 "'" + key + "'" + did_you_mean(key, known));
}

std::string options_text(const Description& entry, const std::string& indent) {
    std::string text;
    for (const auto& option : entry.options)
        text += fmt::format(
            "{}{}={}: {}{}\n", indent, option.name,
            option.fallback.is_string() ? option.fallback.get<std::string>() : option.fallback.dump(),
            option.summary,
            option.choices.empty() ? "" : fmt::format(" ({})", fmt::join(option.choices, ", ")));
    return text;
}

}  // namespace mtlprune
