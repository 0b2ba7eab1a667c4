#include "bench/compare/benchmark_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune::bench {
namespace {

constexpr const char* kFileSubject = "benchmark results";

/// Numbers that say how a repetition was run, not what it measured.
bool is_bookkeeping(const std::string& key) {
    static const std::set<std::string> keys = {"repetitions", "repetition_index", "threads",
                                               "iterations",  "family_index",     "per_family_instance_index",
                                               "time_unit"};
    return keys.count(key) > 0;
}

std::string text_of(const nlohmann::json& entry, const char* key, const std::string& place) {
    const auto found = entry.find(key);
    if (found == entry.end() || !found->is_string())
        throw Error(kFileSubject, place, fmt::format("text under '{}'", key),
                    found == entry.end() ? "nothing" : found->dump());
    return *found;
}

double nanoseconds(const std::string& unit, const std::string& place) {
    if (unit == "ns") return 1;
    if (unit == "us") return 1e3;
    if (unit == "ms") return 1e6;
    if (unit == "s") return 1e9;
    throw Error(kFileSubject, place + ": time_unit", "ns, us, ms or s", "'" + unit + "'");
}

std::map<std::string, double> values_of(const nlohmann::json& entry, const std::string& place) {
    const double scale = nanoseconds(text_of(entry, "time_unit", place), place);
    std::map<std::string, double> values;
    for (const auto& [key, value] : entry.items())
        if (value.is_number() && !is_bookkeeping(key))
            values[key] = value.get<double>() * (key == "real_time" || key == "cpu_time" ? scale : 1);
    for (const char* time : {"real_time", "cpu_time"})
        if (values.count(time) == 0) throw Error(kFileSubject, place, fmt::format("'{}'", time), "nothing");
    return values;
}

/// A repetition with its number: random interleaving writes them in any order.
struct Repetition {
    int64_t index;
    std::map<std::string, double> values;
};

struct Collected {
    BenchmarkSeries series;
    std::vector<Repetition> repetitions;
};

Collected& series_of(std::vector<Collected>& all, const std::string& name) {
    for (auto& one : all)
        if (one.series.name == name) return one;
    return all.emplace_back(Collected{{name, {}, ""}, {}});
}

void collect(std::vector<Collected>& all, const nlohmann::json& entry, const std::string& place) {
    if (!entry.is_object()) throw Error(kFileSubject, place, "an object {...}", entry.dump().substr(0, 40));
    if (entry.value("run_type", "iteration") == "aggregate") return;
    const auto name =
        entry.contains("run_name") ? text_of(entry, "run_name", place) : text_of(entry, "name", place);
    auto& one = series_of(all, name);
    const auto where = fmt::format("{} ({})", place, name);
    if (entry.value("error_occurred", false)) {
        one.series.error = entry.value("error_message", "an error without a message");
        return;
    }
    one.repetitions.push_back({entry.value("repetition_index", int64_t{0}), values_of(entry, where)});
}

BenchmarkSeries in_order(Collected one) {
    std::stable_sort(one.repetitions.begin(), one.repetitions.end(),
                     [](const Repetition& a, const Repetition& b) { return a.index < b.index; });
    for (auto& repetition : one.repetitions) one.series.repetitions.push_back(std::move(repetition.values));
    return std::move(one.series);
}

}  // namespace

BenchmarkFile parse_benchmarks(const std::string& text, const std::string& place) {
    const auto json = parse_json(text, place);
    if (!json.is_object() || !json.contains("context") || !json["context"].is_object() ||
        !json.contains("benchmarks") || !json["benchmarks"].is_array())
        throw Error(kFileSubject, place, "an object with 'context' and a list of 'benchmarks'",
                    json.dump().substr(0, 40));
    std::vector<Collected> all;
    size_t number = 0;
    try {
        for (const auto& entry : json["benchmarks"])
            collect(all, entry, fmt::format("{}: benchmarks[{}]", place, number++));
    } catch (const nlohmann::json::exception& error) {
        throw Error(kFileSubject, fmt::format("{}: benchmarks[{}]", place, number - 1), error.what());
    }
    if (all.empty())
        throw Error(kFileSubject, place + ": benchmarks", "at least one repetition of a benchmark", "none");
    BenchmarkFile file{place, json["context"], {}};
    for (auto& one : all) file.series.push_back(in_order(std::move(one)));
    return file;
}

BenchmarkFile read_benchmarks(const std::filesystem::path& path) {
    return parse_benchmarks(read_file(path, kFileSubject), path.string());
}

}  // namespace mtlprune::bench
