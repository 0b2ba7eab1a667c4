#include "base/revision.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_reader.h"

namespace mtlprune {

std::string ProgramRevision::text() const {
    return fmt::format("{} (revision {})", version, revision);
}

nlohmann::json ProgramRevision::to_json() const {
    return {{"version", version}, {"revision", revision}};
}

ProgramRevision recorded_program(const nlohmann::json& environment, const std::string& place) {
    if (!environment.contains("program")) return {"not recorded", "not recorded"};
    JsonReader reader(environment.at("program"), place + ": program");
    ProgramRevision program{reader.require<std::string>("version"), reader.require<std::string>("revision")};
    reader.finish();
    return program;
}

nlohmann::json count_programs(const std::vector<ProgramRevision>& of_stages) {
    auto list = nlohmann::json::array();
    std::vector<ProgramRevision> seen;
    for (const auto& program : of_stages) {
        if (std::find(seen.begin(), seen.end(), program) != seen.end()) continue;
        seen.push_back(program);
        list.push_back(program.to_json());
        list.back()["stages"] = std::count(of_stages.begin(), of_stages.end(), program);
    }
    return list;
}

std::string programs_sentence(const nlohmann::json& programs, const std::string& place) {
    if (!programs.is_array() || programs.empty())
        throw Error("results", place, "a list of the programs that computed the stages", programs.dump());
    std::vector<std::string> words;
    for (const auto& entry : programs) {
        JsonReader reader(entry, fmt::format("{}[{}]", place, words.size()));
        const ProgramRevision program{reader.require<std::string>("version"),
                                      reader.require<std::string>("revision")};
        const auto stages = reader.require<int64_t>("stages");
        reader.finish();
        if (programs.size() == 1) return "mtlprune " + program.text();
        words.push_back(
            fmt::format("{} computed {} {}", program.text(), stages, stages == 1 ? "stage" : "stages"));
    }
    return fmt::format("Not all stages were computed by the same program: mtlprune {}.",
                       fmt::join(words, ", "));
}

}  // namespace mtlprune
