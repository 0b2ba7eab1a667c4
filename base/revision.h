// What computed a stage: the version and the git revision of this program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mtlprune {

struct ProgramRevision {
    std::string version;   ///< "0.2.0"
    std::string revision;  ///< "93300c8d1e02", "93300c8d1e02 + changes" (of files), "unknown" (outside git)
    bool operator==(const ProgramRevision&) const = default;

    /// "0.2.0 (revision 93300c8d1e02)"
    std::string text() const;
    /// {"version": ..., "revision": ...}
    nlohmann::json to_json() const;
};

/// What this program was built from; the file that defines it is written by the build.
const ProgramRevision& this_program();

/// From a stage's env.json, which `place` names; both are "not recorded" where it says nothing of it. Throws
/// Error on an entry of another form.
ProgramRevision recorded_program(const nlohmann::json& environment, const std::string& place);

/// [{"version": ..., "revision": ..., "stages": how many of them}], in order of first appearance.
nlohmann::json count_programs(const std::vector<ProgramRevision>& of_stages);

/// For readers: which program computed the stages, or which of several computed how many. Throws Error when
/// `programs` is no result of count_programs().
std::string programs_sentence(const nlohmann::json& programs, const std::string& place);

}  // namespace mtlprune
