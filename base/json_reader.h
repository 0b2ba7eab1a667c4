// Strict reading of JSON descriptions: typed values with defaults, unknown keys are errors that name the
// nearest key.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace mtlprune {

/// The candidate with the smallest edit distance to `name`; empty when none is close (more than half of it
/// differs).
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

/// " (did you mean 'x'?)" or "".
std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates);

/// Parses JSON with // comments; `place` (a file name) is named in errors together with line and column.
nlohmann::json parse_json(const std::string& text, const std::string& place);

template <typename Enum>
class EnumNames;  // base/enum_names.h

/// Reads one JSON object key by key. Call `finish()` last: it throws on keys nobody asked for.
class JsonReader {
  public:
    /// `place` names the object in messages, e.g. "quick.json: model".
    JsonReader(const nlohmann::json& object, std::string place);

    /// The value of `key`, or `fallback` when absent. Throws Error on a value of the wrong type.
    template <typename T>
    T get(const std::string& key, const T& fallback) {
        known_.push_back(key);
        const auto it = object_.find(key);
        const T value = it == object_.end() ? fallback : convert<T>(key, *it);
        resolved_->values[key] = value;
        return value;
    }

    /// The value of `key`; throws Error when absent.
    template <typename T>
    T require(const std::string& key) {
        known_.push_back(key);
        const auto it = object_.find(key);
        if (it == object_.end()) throw Error("configuration", place_, "key '" + key + "'", "nothing");
        const T value = convert<T>(key, *it);
        resolved_->values[key] = value;
        return value;
    }

    /// One of `allowed`; an unknown word is an error that names the nearest.
    std::string choice(const std::string& key, const std::string& fallback,
                       const std::vector<std::string>& allowed);

    /// The same for an enum; an absent key is `fallback`.
    template <typename Enum>
    Enum choice(const std::string& key, Enum fallback, const EnumNames<Enum>& names) {
        return names.value(choice(key, names.name(fallback), names.names()), place_ + ": " + key);
    }

    /// A number in [low, high].
    double number(const std::string& key, double fallback, double low, double high);
    int64_t integer(const std::string& key, int64_t fallback, int64_t low, int64_t high);

    /// The object under `key` (empty object when absent).
    JsonReader child(const std::string& key);
    bool has(const std::string& key) const { return object_.contains(key); }
    /// Takes a key out of resolved(): for keys that are younger than stored descriptions, at their defaults.
    void leave_out(const std::string& key) { resolved_->values.erase(key); }
    const std::string& place() const { return place_; }
    void finish() const;

    /// Every key asked for so far with the value it got, defaults included, children nested.
    nlohmann::json resolved() const { return resolved_->all(); }

  private:
    template <typename T>
    T convert(const std::string& key, const nlohmann::json& value) const {
        try {
            if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
                if (!value.is_number_integer()) throw Error("");
            } else if constexpr (std::is_floating_point_v<T>) {
                if (!value.is_number()) throw Error("");
            }
            return value.get<T>();
        } catch (const std::exception&) {
            throw Error("configuration", place_ + ": " + key, type_name<T>(), value.dump());
        }
    }
    template <typename T>
    static std::string type_name() {
        if constexpr (std::is_same_v<T, bool>)
            return "true or false";
        else if constexpr (std::is_integral_v<T>)
            return "an integer";
        else if constexpr (std::is_floating_point_v<T>)
            return "a number";
        else if constexpr (std::is_same_v<T, std::string>)
            return "a string";
        else
            return "a list or object of the documented form";
    }

    nlohmann::json object_;
    std::string place_;
    std::vector<std::string> known_;
    /// Shared between copies of a reader, so that what a callee asked for is known to the caller.
    struct Resolved {
        nlohmann::json values = nlohmann::json::object();
        std::vector<std::pair<std::string, std::shared_ptr<Resolved>>> children;
        nlohmann::json all() const;
    };
    std::shared_ptr<Resolved> resolved_ = std::make_shared<Resolved>();
};

}  // namespace mtlprune
