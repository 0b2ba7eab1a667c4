#include "datasets/layouts/frame_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

using nlohmann::json;

/// The start of a simple value. Others are not printed: they may be nested deeper than the stack is.
std::string shown(const json& value) {
    if (value.is_array()) return fmt::format("a list of {}", value.size());
    if (value.is_object()) return fmt::format("an object of {} keys", value.size());
    return value.dump().substr(0, 40);
}

bool leaves_folder(const std::filesystem::path& path) {
    const auto normal = path.lexically_normal();
    return path.is_absolute() || (!normal.empty() && *normal.begin() == "..");
}

const json& find_split(const json& list, const std::string& split, const ListName& name) {
    if (!list.is_object()) throw Error(name.subject, name.place, "an object of splits", shown(list));
    std::vector<std::string> names;
    for (const auto& [key, value] : list.items()) names.push_back(key);
    const auto found = list.find(split);
    if (found == list.end())
        throw Error(name.subject, name.place, "split '" + split + "'",
                    fmt::format("only {}{}", json(names).dump(), did_you_mean(split, names)));
    if (!found->is_array() || found->empty())
        throw Error(name.subject, name.place + ": " + split, "a list of frames",
                    found->is_array() ? "an empty list" : shown(*found));
    return *found;
}

std::vector<std::string> paths_of(const json& entry, const std::string& subject, const std::string& where,
                                  const std::vector<std::string>& fields) {
    if (!entry.is_array() || entry.size() != fields.size())
        throw Error(subject, where, fmt::format("{} paths [{}]", fields.size(), fmt::join(fields, ", ")),
                    entry.is_array() ? std::to_string(entry.size()) : shown(entry));
    std::vector<std::string> paths;
    for (const auto& path : entry) {
        if (!path.is_string()) throw Error(subject, where, "a path", shown(path));
        paths.push_back(path.get<std::string>());
        if (paths.back().empty() || leaves_folder(paths.back()))
            throw Error(subject, where, "a path inside the data set's folder", "'" + paths.back() + "'");
    }
    return paths;
}

}  // namespace

std::vector<std::vector<std::string>> parse_frame_list(const std::string& json_text, const ListName& name,
                                                       const std::string& split,
                                                       const std::vector<std::string>& fields) {
    const json list = parse_json(json_text, name.place);
    std::vector<std::vector<std::string>> frames;
    for (const auto& entry : find_split(list, split, name))
        frames.push_back(paths_of(entry, name.subject,
                                  fmt::format("{}: {}[{}]", name.place, split, frames.size()), fields));
    return frames;
}

}  // namespace mtlprune
