#include "base/json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mtlprune {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0]++;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
    std::string best;
    size_t best_distance = std::max<size_t>(2, name.size() / 2) + 1;
    for (const auto& candidate : candidates) {
        const bool prefix = name.size() >= 2 && candidate.rfind(name, 0) == 0;
        const size_t distance = prefix ? 1 : edit_distance(name, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates) {
    const std::string nearest = nearest_name(name, candidates);
    return nearest.empty() ? "" : fmt::format(" (did you mean '{}'?)", nearest);
}

nlohmann::json parse_json(const std::string& text, const std::string& place) {
    try {
        return nlohmann::json::parse(text, nullptr, true, /*ignore_comments=*/true);
    } catch (const nlohmann::json::parse_error& error) {
        const std::string what = error.what();
        const size_t start = what.find("parse error");
        throw Error("JSON", place, "valid JSON", start == std::string::npos ? what : what.substr(start));
    } catch (const nlohmann::json::out_of_range& error) {
        const std::string what = error.what();  // "[json.exception...] number overflow parsing '1e999'"
        throw Error("JSON", place, "numbers that a double holds", what.substr(what.find("] ") + 2));
    }
}

JsonReader::JsonReader(const nlohmann::json& object, std::string place)
    : object_(object), place_(std::move(place)) {
    if (!object_.is_object())
        throw Error("configuration", place_, "an object {...}", object_.dump().substr(0, 40));
}

std::string JsonReader::choice(const std::string& key, const std::string& fallback,
                               const std::vector<std::string>& allowed) {
    const auto value = get<std::string>(key, fallback);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
        throw Error("configuration", place_ + ": " + key, fmt::format("one of {}", fmt::join(allowed, ", ")),
                    fmt::format("'{}'{}", value, did_you_mean(value, allowed)));
    return value;
}

double JsonReader::number(const std::string& key, double fallback, double low, double high) {
    const auto value = get<double>(key, fallback);
    if (!(value >= low && value <= high))
        throw Error("configuration", place_ + ": " + key, fmt::format("a number in [{}, {}]", low, high),
                    fmt::format("{}", value));
    return value;
}

int64_t JsonReader::integer(const std::string& key, int64_t fallback, int64_t low, int64_t high) {
    const auto value = get<int64_t>(key, fallback);
    if (value < low || value > high)
        throw Error("configuration", place_ + ": " + key, fmt::format("an integer in [{}, {}]", low, high),
                    fmt::format("{}", value));
    return value;
}

JsonReader JsonReader::child(const std::string& key) {
    known_.push_back(key);
    const auto it = object_.find(key);
    JsonReader reader(it == object_.end() ? nlohmann::json::object() : *it, place_ + ": " + key);
    resolved_->children.emplace_back(key, reader.resolved_);
    return reader;
}

nlohmann::json JsonReader::Resolved::all() const {
    nlohmann::json nested = values;
    for (const auto& [key, child] : children) nested[key] = child->all();
    return nested;
}

void JsonReader::finish() const {
    for (const auto& [key, value] : object_.items())
        if (std::find(known_.begin(), known_.end(), key) == known_.end())
            throw Error("configuration", place_, fmt::format("one of the keys {}", fmt::join(known_, ", ")),
                        fmt::format("'{}'{}", key, did_you_mean(key, known_)));
}

}  // namespace mtlprune
