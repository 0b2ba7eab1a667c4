#include "bench/compare/history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/atomic_file.h"
#include "base/error.h"

namespace mtlprune::bench {
namespace {

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c == '\n' ? ' ' : c;
    }
    return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& cells) {
    std::vector<std::string> quoted;
    for (const auto& cell : cells) quoted.push_back(csv_cell(cell));
    return fmt::format("{}\n", fmt::join(quoted, ","));
}

}  // namespace

void append_history(const std::filesystem::path& path, const Comparison& comparison, const std::string& time,
                    const std::string& commit) {
    std::vector<std::string> names = {"time", "commit"}, values = {time, commit};
    for (const auto& row : comparison.rows) {
        if (row.now <= 0) throw Error("history", row.name, "a measured value", "none: the benchmark failed");
        names.push_back(row.name);
        values.push_back(fmt::format("{:.6g}", row.now));
    }
    const auto header = csv_line(names);
    std::string content = std::filesystem::exists(path) ? read_file(path, "history") : "";
    if (content.empty()) content = header;
    const auto found = content.substr(0, content.find('\n') + 1);
    if (found != header)
        throw Error("history", path.string(),
                    fmt::format("the columns {}", header.substr(0, header.size() - 1)),
                    fmt::format("{}(start a new file)", found.empty() ? "no line " : found));
    if (content.back() != '\n') content += '\n';
    write_file_atomically(path, content + csv_line(values));
}

}  // namespace mtlprune::bench
