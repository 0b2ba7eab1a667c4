#include "bench/compare/gate_suite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "base/json_reader.h"

namespace mtlprune::bench {
namespace {

SuiteProgram read_program(const nlohmann::json& json, const std::string& place) {
    JsonReader reader(json, place);
    SuiteProgram program;
    program.program = reader.require<std::string>("program");
    program.filter = reader.require<std::string>("filter");
    program.min_time = reader.number("min_time", program.min_time, 0.001, 60);
    program.repetitions = reader.integer("repetitions", program.repetitions, 1, 100);
    program.metric.name = reader.get<std::string>("metric", "cpu_time");
    program.metric.higher_is_better = reader.get<bool>("higher_is_better", false);
    reader.finish();
    return program;
}

}  // namespace

GateSuite read_suite(const std::filesystem::path& path) {
    const auto place = path.string();
    JsonReader reader(parse_json(read_file(path, "gate suite"), place), place);
    GateSuite suite;
    for (const auto& [name, value] : reader.get<std::map<std::string, std::string>>("environment", {}))
        suite.environment.emplace_back(name, value);
    const auto programs = reader.require<std::vector<nlohmann::json>>("programs");
    for (size_t i = 0; i < programs.size(); ++i)
        suite.programs.push_back(read_program(programs[i], fmt::format("{}: programs[{}]", place, i)));
    reader.finish();
    if (suite.programs.empty()) throw Error("gate suite", place + ": programs", "at least one", "none");
    return suite;
}

GateSuite only_programs(const GateSuite& suite, const std::vector<std::string>& names) {
    GateSuite result{suite.environment, {}};
    std::vector<std::string> known;
    for (const auto& program : suite.programs) {
        known.push_back(program.program);
        if (std::find(names.begin(), names.end(), program.program) != names.end())
            result.programs.push_back(program);
    }
    for (const auto& name : names)
        if (std::find(known.begin(), known.end(), name) == known.end())
            throw Error("gate suite", "programs", fmt::format("one of {}", fmt::join(known, ", ")),
                        fmt::format("'{}'{}", name, did_you_mean(name, known)));
    return result;
}

}  // namespace mtlprune::bench
