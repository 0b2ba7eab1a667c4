#include "datasets/layouts/frame_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

using nlohmann::json;

constexpr size_t kMostFolders = 32;

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

/// `path` without its first `folders` parts, the root being one.
std::filesystem::path without_first(const std::filesystem::path& path, size_t folders) {
    std::filesystem::path rest;
    for (const auto& part : path)
        if (folders > 0)
            --folders;
        else
            rest /= part;
    return rest;
}

/// How many leading folders of its paths lead to no files in the list's folder but do when left out; 0 when
/// the paths are right as they are, and when nothing is.
size_t foreign_folders(const json& entry, const std::filesystem::path& folder) {
    if (!entry.is_array() || entry.empty()) return 0;
    const auto all_exist = [&](size_t left_out) {
        return std::all_of(entry.begin(), entry.end(), [&](const json& path) {
            if (!path.is_string()) return false;
            const auto rest = without_first(path.get<std::string>(), left_out);
            std::error_code ignored;
            return !rest.empty() && !leaves_folder(rest) && std::filesystem::exists(folder / rest, ignored);
        });
    };
    const std::filesystem::path first = entry[0].is_string() ? entry[0].get<std::string>() : "";
    const auto parts = static_cast<size_t>(std::distance(first.begin(), first.end()));
    for (size_t left_out = 0; left_out < std::min(parts, kMostFolders); ++left_out)
        if (all_exist(left_out)) return left_out;
    return 0;
}

std::vector<std::string> paths_of(const json& entry, const std::string& subject, const std::string& where,
                                  const std::vector<std::string>& fields, size_t left_out) {
    if (!entry.is_array() || entry.size() != fields.size())
        throw Error(subject, where, fmt::format("{} paths [{}]", fields.size(), fmt::join(fields, ", ")),
                    entry.is_array() ? std::to_string(entry.size()) : shown(entry));
    std::vector<std::string> paths;
    for (const auto& path : entry) {
        if (!path.is_string()) throw Error(subject, where, "a path", shown(path));
        auto text = path.get<std::string>();
        paths.push_back(left_out == 0 ? text : without_first(text, left_out).string());
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
    const json& entries = find_split(list, split, name);
    const size_t left_out = foreign_folders(entries[0], std::filesystem::path(name.place).parent_path());
    std::vector<std::vector<std::string>> frames;
    for (const auto& entry : entries)
        frames.push_back(paths_of(entry, name.subject,
                                  fmt::format("{}: {}[{}]", name.place, split, frames.size()), fields,
                                  left_out));
    return frames;
}

std::vector<std::string> frame_list_splits(const std::string& json_text, const ListName& name) {
    const json list = parse_json(json_text, name.place);
    if (!list.is_object()) throw Error(name.subject, name.place, "an object of splits", shown(list));
    std::vector<std::string> splits;
    for (const auto& [key, value] : list.items()) splits.push_back(key);
    std::stable_partition(splits.begin(), splits.end(), [](const auto& split) { return split == "train"; });
    std::stable_partition(splits.begin(), splits.end(), [](const auto& split) { return split != "test"; });
    return splits;
}

}  // namespace mtlprune
