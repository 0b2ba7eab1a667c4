#include "reproduce/resources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "base/json_reader.h"

namespace mtlprune {

namespace fs = std::filesystem;

fs::path resource_folder() {
    std::vector<fs::path> candidates;
    if (const char* home = std::getenv("MTLPRUNE_RESOURCES")) candidates.emplace_back(home);
    // An installed program uses what was installed with it, also where the sources still are.
    candidates.push_back(fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "share/mtlprune");
    candidates.emplace_back(MTLPRUNE_RESOURCE_SOURCE);
    for (const auto& candidate : candidates)
        if (fs::is_directory(candidate / "scales")) return candidate;
    throw Error("resources", fmt::format("{}", candidates.front().string()),
                "a folder with scales/ and figures/ (set MTLPRUNE_RESOURCES)", "none");
}

std::vector<std::string> scale_names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(resource_folder() / "scales"))
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
    std::sort(names.begin(), names.end());
    return names;
}

fs::path scale_file(const std::string& name_or_path) {
    const auto names = scale_names();
    if (std::find(names.begin(), names.end(), name_or_path) != names.end())
        return resource_folder() / "scales" / (name_or_path + ".json");
    if (fs::is_regular_file(name_or_path)) return name_or_path;
    throw Error("scale", name_or_path, fmt::format("one of {} or a JSON file", fmt::join(names, ", ")),
                "neither" + did_you_mean(name_or_path, names));
}

}  // namespace mtlprune
