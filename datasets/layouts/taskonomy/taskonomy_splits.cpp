#include "datasets/layouts/taskonomy/taskonomy_splits.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/json_reader.h"
#include "base/text_file.h"
#include "datasets/codecs/zip_file.h"

namespace mtlprune {
namespace {

constexpr const char* kSplitsSubject = "Taskonomy splits";

bool is_junk(const std::filesystem::path& member) {
    return member.filename().string().starts_with(".") ||
           std::any_of(member.begin(), member.end(), [](const auto& part) { return part == "__MACOSX"; });
}

std::string find_member(const std::filesystem::path& archive, const std::string& partition) {
    const std::string wanted = fmt::format("train_val_test_{}.csv", partition);
    std::vector<std::string> found, lists;
    for (const std::string& name : zip_members(archive)) {
        const std::filesystem::path member = name;
        if (is_junk(member) || member.extension() != ".csv") continue;
        lists.push_back(name);
        if (member.filename() == wanted) found.push_back(name);
    }
    if (found.size() != 1)
        throw Error(kSplitsSubject, archive.string(), "one " + wanted,
                    fmt::format("{} among the lists [{}]", found.size(), fmt::join(lists, ", ")));
    return found[0];
}

bool is_zip(const std::string& content) {
    return content.starts_with("PK");
}

/// The lines of `text`, whatever ends them, without empty ones.
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find_first_of("\r\n", at), text.size());
        if (end > at) lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields;
    size_t at = 0;
    for (size_t comma = line.find(','); comma != std::string::npos; comma = line.find(',', at)) {
        fields.push_back(line.substr(at, comma - at));
        at = comma + 1;
    }
    fields.push_back(line.substr(at));
    return fields;
}

/// The column of `split` in the heading.
size_t column_of(const std::vector<std::string>& heading, const std::string& split,
                 const std::string& place) {
    const std::vector<std::string> splits(heading.begin() + 1, heading.end());
    if (heading[0] != "id" || splits.empty())
        throw Error(kSplitsSubject, place, "the heading id,train,val,test",
                    fmt::format("{}", fmt::join(heading, ",")).substr(0, 80));
    const auto found = std::find(splits.begin(), splits.end(), split);
    if (found == splits.end())
        throw Error(kSplitsSubject, place, "split '" + split + "'",
                    fmt::format("only {}{}", fmt::join(splits, ", "), did_you_mean(split, splits)));
    return 1 + static_cast<size_t>(found - splits.begin());
}

bool is_folder_name(const std::string& name) {
    return !name.empty() && !name.starts_with(".") && name.find('/') == std::string::npos;
}

std::vector<std::string> parse(const std::string& text, const std::string& split, const std::string& place) {
    const auto lines = lines_of(text);
    if (lines.empty()) throw Error(kSplitsSubject, place, "the heading id,train,val,test", "an empty file");
    const auto heading = fields_of(lines[0]);
    const size_t column = column_of(heading, split, place);
    std::vector<std::string> buildings;
    std::set<std::string> seen;
    for (size_t i = 1; i < lines.size(); ++i) {
        const std::string where = fmt::format("{}: line {}", place, i + 1);
        const auto fields = fields_of(lines[i]);
        if (fields.size() != heading.size())
            throw Error(kSplitsSubject, where, fmt::format("{} fields", heading.size()),
                        fmt::format("{}", fields.size()));
        if (!is_folder_name(fields[0]) || !seen.insert(fields[0]).second)
            throw Error(kSplitsSubject, where, "a building's name, once", "'" + fields[0] + "'");
        if (fields[column] != "0" && fields[column] != "1")
            throw Error(kSplitsSubject, where, "0 or 1 for " + split, "'" + fields[column] + "'");
        if (fields[column] == "1") buildings.push_back(fields[0]);
    }
    if (buildings.empty()) throw Error(kSplitsSubject, place, "buildings in split " + split, "none");
    return buildings;
}

}  // namespace

std::vector<std::string> taskonomy_buildings(const std::filesystem::path& file, const std::string& partition,
                                             const std::string& split) {
    const std::string content = read_text(file, kSplitsSubject);
    if (!is_zip(content)) return parse(content, split, file.string());
    const std::string member = find_member(file, partition);
    return parse(read_zip_member(file, member), split, file.string() + ": " + member);
}

}  // namespace mtlprune
