// What there is of a kind (criteria, models, tasks, ...): by key, with everything that help texts, lists,
// tests and benchmarks need to know about it. A new entry is one file and one line.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace mtlprune {

/// An option of an entry; the type is that of the default.
struct Option {
    std::string name;
    nlohmann::json fallback;
    std::string summary;
    std::vector<std::string> choices = {};  ///< of a string; empty: any
};

/// What all kinds of entries say about themselves.
struct Description {
    std::string key;
    std::string summary;  ///< one line
    std::string paper;    ///< authors, title or venue, year; empty for what has none
    std::vector<Option> options = {};
    /// Options that make it what the paper's released code computes; empty when that is the default.
    nlohmann::json as_released = nlohmann::json::object();
    std::string certainty = {};  ///< of the formulas: "medium" or "low", and why; empty: high
};

/// A key with options, written "key" or "key:option=value,option=value"; "option" alone means true.
struct Choice {
    std::string key;
    nlohmann::json options = nlohmann::json::object();
};

/// Values are JSON where they parse as JSON ("[1,2]" too), else strings. Throws Error naming `subject` on
/// anything else.
Choice parse_choice(const std::string& subject, const std::string& text);

/// What parse_choice reads.
std::string choice_text(const Choice& choice);

/// `given` checked against the entry's options (unknown names, types, choices are Errors) and completed by
/// `as_released` (when asked for) and by defaults.
nlohmann::json complete_options(const std::string& subject, const Description& entry,
                                const nlohmann::json& given, bool as_released);

/// The Error for a key that does not exist; it names the nearest.
Error unknown_key(const std::string& subject, const std::string& key, const std::vector<std::string>& known);

/// Options of one entry for people, one line each; "" when there are none.
std::string options_text(const Description& entry, const std::string& indent);

/// `Arguments` are what every entry is made for, beside its options.
template <typename T, typename... Arguments>
class Registry {
  public:
    using Factory = std::function<std::unique_ptr<T>(const nlohmann::json& options, Arguments... arguments)>;
    struct Entry : Description {
        Factory make;  ///< gets complete options
    };

    /// `subject` is the kind's name in messages: "criterion".
    explicit Registry(std::string subject) : subject_(std::move(subject)) {}

    void add(Entry entry) {
        for (const auto& known : entries_)
            if (known.key == entry.key)
                throw std::logic_error(subject_ + " '" + entry.key + "' is registered twice");
        entries_.push_back(std::move(entry));
    }

    const std::vector<Entry>& entries() const { return entries_; }

    std::vector<std::string> keys() const {
        std::vector<std::string> keys;
        for (const auto& entry : entries_) keys.push_back(entry.key);
        return keys;
    }

    const Entry& at(const std::string& key) const {
        for (const auto& entry : entries_)
            if (entry.key == key) return entry;
        throw unknown_key(subject_, key, keys());
    }

    std::unique_ptr<T> make(const Choice& choice, Arguments... arguments, bool as_released = false) const {
        const auto& entry = at(choice.key);
        return entry.make(complete_options(subject_, entry, choice.options, as_released), arguments...);
    }

    /// "key" or "key:option=value,option=value"
    std::unique_ptr<T> make(const std::string& text, Arguments... arguments, bool as_released = false) const {
        return make(parse_choice(subject_, text), arguments..., as_released);
    }

  private:
    std::string subject_;
    std::vector<Entry> entries_;
};

}  // namespace mtlprune
