#include "bench/compare/interleaved_rounds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/random.h"
#include "bench/compare/benchmark_file.h"
#include "bench/compare/context.h"

namespace mtlprune::bench {
namespace {

constexpr const char* kProgramSubject = "benchmark program";

/// A regular expression that matches exactly these names.
std::string exact_filter(const std::vector<std::string>& names) {
    std::vector<std::string> escaped;
    for (const auto& name : names) {
        std::string text;
        for (const char c : name) {
            if (std::string("\\^$.|?*+()[]{}").find(c) != std::string::npos) text += '\\';
            text += c;
        }
        escaped.push_back(text);
    }
    return fmt::format("^({})$", fmt::join(escaped, "|"));
}

Variables environment_of(const GateSuite& suite, const Variant& variant) {
    Variables variables = suite.environment;
    variables.emplace_back("MTLPRUNE_BENCH_PLANT", fmt::format("{}", variant.planted));
    return variables;
}

std::vector<std::string> listed(const ProgramCall& call) {
    std::istringstream lines(run_to_end(call));
    std::vector<std::string> names;
    for (std::string line; std::getline(lines, line);)
        if (!line.empty() && std::find(names.begin(), names.end(), line) == names.end())
            names.push_back(line);
    return names;
}

/// The best of the repetitions.
double best_of(const BenchmarkSeries& series, const Metric& metric, const std::string& place) {
    double best = 0;
    for (const auto& repetition : series.repetitions) {
        const auto found = repetition.find(metric.name);
        if (found == repetition.end())
            throw Error(kProgramSubject, place, fmt::format("metric '{}'", metric.name), "none");
        if (!std::isfinite(found->second) || found->second <= 0)
            throw Error(kProgramSubject, fmt::format("{}: {}", place, metric.name), "a positive number",
                        fmt::format("{}", found->second));
        const bool better = metric.higher_is_better ? found->second > best : found->second < best;
        if (best == 0 || better) best = found->second;
    }
    return best;
}

}  // namespace

InterleavedRounds::InterleavedRounds(GateSuite suite, std::vector<Variant> variants, uint64_t seed)
    : suite_(std::move(suite)), variants_(std::move(variants)), seed_(seed) {
    for (size_t program = 0; program < suite_.programs.size(); ++program) find_benchmarks(program);
}

void InterleavedRounds::find_benchmarks(size_t program) {
    const auto& entry = suite_.programs[program];
    std::map<std::filesystem::path, std::vector<std::string>> of_folder;
    for (const auto& variant : variants_)
        if (of_folder.count(variant.folder) == 0)
            of_folder[variant.folder] =
                listed({variant.folder / entry.program,
                        {"--benchmark_list_tests=true", "--benchmark_filter=" + entry.filter},
                        environment_of(suite_, variant)});
    std::map<std::string, size_t> folders_with;
    for (const auto& [folder, names] : of_folder)
        for (const auto& name : names) ++folders_with[name];
    const size_t before = benchmarks_.size();
    for (const auto& name : of_folder.at(variants_.at(0).folder))
        if (folders_with[name] == of_folder.size()) benchmarks_.push_back({program, name});
    for (const auto& [name, count] : folders_with)
        if (count < of_folder.size())
            notes_.push_back(fmt::format("only on one side: {}: {}", entry.program, name));
    if (benchmarks_.size() == before)
        throw Error(kProgramSubject, entry.program,
                    fmt::format("a benchmark on both sides that '{}' matches", entry.filter), "none");
}

std::string InterleavedRounds::title(size_t benchmark) const {
    const auto& one = benchmarks_.at(benchmark);
    return fmt::format("{}: {}", suite_.programs[one.program].program, one.name);
}

const Metric& InterleavedRounds::metric_of(size_t benchmark) const {
    return suite_.programs[benchmarks_.at(benchmark).program].metric;
}

void InterleavedRounds::note_context(const Variant& variant, size_t program, const nlohmann::json& context) {
    const auto& name = suite_.programs[program].program;
    const double planted = std::strtod(context.value("planted", "0").c_str(), nullptr);
    if (planted != variant.planted)
        throw Error(
            kProgramSubject, (variant.folder / name).string(),
            fmt::format("a slow-down of {:g} planted (bench/kit/planted_slowdown.h)", variant.planted),
            fmt::format("{:g}", planted));
    const auto& first = contexts_.emplace(program, context).first->second;
    auto mine = context, reference = first;
    for (auto* one : {&mine, &reference}) one->erase("planted");
    for (const auto& [key, value] : context.items())
        if (!first.contains(key)) mine.erase(key);
    for (const auto& [key, value] : first.items())
        if (!context.contains(key)) reference.erase(key);
    for (const auto& difference : context_differences(reference, mine)) {
        auto note = fmt::format("different conditions: {}: {}", name, difference);
        if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) notes_.push_back(std::move(note));
    }
}

std::map<std::string, double> InterleavedRounds::run(size_t program, const std::vector<std::string>& names,
                                                     const Variant& variant) {
    const auto& entry = suite_.programs[program];
    const auto path = variant.folder / entry.program;
    const auto text = run_to_end({path,
                                  {"--benchmark_filter=" + exact_filter(names), "--benchmark_format=json",
                                   fmt::format("--benchmark_min_time={}", entry.min_time),
                                   fmt::format("--benchmark_min_warmup_time={}", entry.min_time),
                                   fmt::format("--benchmark_repetitions={}", entry.repetitions),
                                   "--benchmark_enable_random_interleaving=true"},
                                  environment_of(suite_, variant)});
    const auto file = parse_benchmarks(text, path.string());
    note_context(variant, program, file.context);
    std::map<std::string, double> values;
    for (const auto& series : file.series) {
        const auto place = fmt::format("{}: {}", path.string(), series.name);
        if (!series.error.empty()) throw Error(kProgramSubject, place, series.error);
        values[series.name] = best_of(series, entry.metric, place);
    }
    for (const auto& name : names)
        if (values.count(name) == 0)
            throw Error(kProgramSubject, path.string(), fmt::format("a measurement of {}", name), "none");
    return values;
}

std::vector<std::vector<double>> InterleavedRounds::round(const std::vector<size_t>& which,
                                                          const std::vector<size_t>& of) {
    std::vector<std::vector<double>> values(of.size(), std::vector<double>(which.size()));
    const uint64_t number = rounds_++;
    for (size_t program = 0; program < suite_.programs.size(); ++program) {
        std::vector<std::string> names;
        for (const size_t i : which)
            if (benchmarks_.at(i).program == program) names.push_back(benchmarks_[i].name);
        if (names.empty()) continue;
        const Random random(seed_, Stream::order, number, program);
        for (const int64_t v : permutation(static_cast<int64_t>(of.size()), random)) {
            const auto measured = run(program, names, variants_.at(of[v]));
            for (size_t k = 0; k < which.size(); ++k)
                if (benchmarks_[which[k]].program == program)
                    values[v][k] = measured.at(benchmarks_[which[k]].name);
        }
    }
    return values;
}

}  // namespace mtlprune::bench
