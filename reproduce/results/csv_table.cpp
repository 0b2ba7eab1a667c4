#include "reproduce/results/csv_table.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

const char* const kSubject = "results table";

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::map<std::string, size_t> read_header(const std::string& line, const std::string& name,
                                          const std::vector<std::string>& wanted) {
    const std::vector<std::string> found = split(line, ',');
    std::map<std::string, size_t> positions;
    for (size_t i = 0; i < found.size(); ++i) {
        if (!positions.emplace(found[i], i).second)
            throw Error(kSubject, name + ":1", "each column once", fmt::format("'{}' twice", found[i]));
    }
    for (const std::string& column : wanted) {
        if (!positions.contains(column))
            throw Error(kSubject, name + ":1", fmt::format("a column '{}'", column),
                        fmt::format("'{}'{}", line, did_you_mean(column, found)));
    }
    return positions;
}

template <typename T>
std::optional<T> parse_all(const std::string& field) {
    T value{};
    const char* end = field.data() + field.size();
    const auto [stop, code] = std::from_chars(field.data(), end, value);
    if (code != std::errc() || stop != end) return std::nullopt;
    return value;
}

}  // namespace

CsvTable CsvTable::read(const std::filesystem::path& path, const std::vector<std::string>& columns,
                        bool may_be_empty) {
    return parse(read_file(path, kSubject), path.string(), columns, may_be_empty);
}

CsvTable CsvTable::parse(const std::string& text, const std::string& name,
                         const std::vector<std::string>& columns, bool may_be_empty) {
    std::vector<std::string> lines = split(text, '\n');
    for (std::string& line : lines)
        if (line.ends_with('\r')) line.pop_back();
    if (lines.front().empty()) throw Error(kSubject, name + ":1", "a header line", "an empty line");
    CsvTable table(name, read_header(lines.front(), name, columns));
    for (size_t i = 1; i < lines.size(); ++i) {
        if (lines[i].empty() && i + 1 == lines.size()) break;  // the newline that ends the file
        std::vector<std::string> fields = split(lines[i], ',');
        if (fields.size() != table.columns_.size())
            throw Error(kSubject, fmt::format("{}:{}", name, i + 1),
                        fmt::format("{} fields", table.columns_.size()), std::to_string(fields.size()));
        table.fields_.push_back(std::move(fields));
        table.lines_.push_back(static_cast<int64_t>(i + 1));
    }
    if (table.fields_.empty() && !may_be_empty)
        throw Error(kSubject, name, "at least one row", "only a header");
    return table;
}

const std::string& CsvTable::field(int64_t row, const std::string& column) const {
    const auto position = columns_.find(column);
    if (position == columns_.end())
        throw Error(kSubject, name_ + ":1", fmt::format("a column '{}'", column), "none");
    return fields_.at(static_cast<size_t>(row)).at(position->second);
}

const std::string& CsvTable::text(int64_t row, const std::string& column) const {
    const std::string& found = field(row, column);
    if (found.empty()) throw Error(kSubject, place(row, column), "a word", "nothing");
    return found;
}

double CsvTable::number(int64_t row, const std::string& column) const {
    const std::string& found = field(row, column);
    if (const auto value = parse_all<double>(found)) return *value;
    throw Error(kSubject, place(row, column), "a number", fmt::format("'{}'", found));
}

int64_t CsvTable::integer(int64_t row, const std::string& column) const {
    const std::string& found = field(row, column);
    if (const auto value = parse_all<int64_t>(found)) return *value;
    throw Error(kSubject, place(row, column), "an integer", fmt::format("'{}'", found));
}

std::string CsvTable::place(int64_t row, const std::string& column) const {
    return fmt::format("{}:{}:{}", name_, lines_.at(static_cast<size_t>(row)), column);
}

}  // namespace mtlprune
