// The one exception type for bad input, shared by all rooms.
#pragma once

#include <stdexcept>
#include <string>

namespace mtlprune {

/// Bad input or environment (never a bug in our code). The message names what was read, where, what was
/// expected and what was found; programs print it and exit with code 2.
class Error : public std::runtime_error {
  public:
    /// A complete sentence, for cases that do not fit the form below.
    explicit Error(const std::string& message) : std::runtime_error(message) {}

    /// "<subject>: <place>: expected <expected>, found <found>", e.g.
    /// Error("NYUv2 list", "/data/nyu_v2_3task.json: train[3]", "4 paths", "3").
    Error(const std::string& subject, const std::string& place, const std::string& expected,
          const std::string& found)
        : std::runtime_error(subject + ": " + place + ": expected " + expected + ", found " + found),
          place_(place),
          problem_("expected " + expected + ", found " + found) {}

    /// "<subject>: <place>: <problem>", e.g. Error("image", "/data/0.png", "cannot read: No such file").
    Error(const std::string& subject, const std::string& place, const std::string& problem)
        : std::runtime_error(subject + ": " + place + ": " + problem), place_(place), problem_(problem) {}

    /// For tables: where, "" for a complete sentence.
    const std::string& place() const { return place_; }
    /// For tables: what is wrong there, without the place; the whole message for a complete sentence.
    std::string problem() const { return place_.empty() ? what() : problem_; }

  private:
    std::string place_, problem_;
};

}  // namespace mtlprune
