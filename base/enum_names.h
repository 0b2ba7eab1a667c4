// Names of an enum's values, for configurations, command lines and messages.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {

template <typename Enum>
class EnumNames {
  public:
    EnumNames(std::initializer_list<std::pair<Enum, const char*>> names) : names_(names) {}

    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& [value, name] : names_) all.emplace_back(name);
        return all;
    }

    std::string name(Enum value) const {
        for (const auto& [known, name] : names_)
            if (known == value) return name;
        throw std::logic_error("an enum value without a name");
    }

    /// Throws Error naming `what` ("option --scope") and the nearest name.
    Enum value(const std::string& name, const std::string& what) const {
        std::string list;
        for (const auto& [value, known] : names_) {
            if (name == known) return value;
            list += (list.empty() ? "" : ", ") + std::string(known);
        }
        throw Error("configuration", what, "one of " + list, "'" + name + "'" + did_you_mean(name, names()));
    }

  private:
    std::vector<std::pair<Enum, const char*>> names_;
};

}  // namespace mtlprune
