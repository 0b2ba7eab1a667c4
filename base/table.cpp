#include "base/table.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <unordered_map>

#include "base/atomic_file.h"
#include "base/error.h"

namespace mtlprune {
namespace {

constexpr const char* kTableHeader = "stage,strategy,seed,event,step,split,task,metric,value";
constexpr const char* kTableSubject = "results table";
constexpr size_t kTableColumns = 9;

std::vector<std::string> cells_of(std::string_view line) {
    std::vector<std::string> cells;
    while (true) {
        const size_t end = line.find(',');
        cells.emplace_back(line.substr(0, end));
        if (end == std::string_view::npos) return cells;
        line.remove_prefix(end + 1);
    }
}

template <typename T>
T whole_number(const std::string& cell, const std::string& place) {
    T number{};
    const char* end = cell.data() + cell.size();
    const auto [stop, code] = std::from_chars(cell.data(), end, number);
    if (code != std::errc() || stop != end || number < 0)
        throw Error(kTableSubject, place, "an integer >= 0", fmt::format("'{}'", cell));
    return number;
}

TableRow row_of(const std::string& line, const std::string& place) {
    auto cells = cells_of(line);
    if (cells.size() != kTableColumns)
        throw Error(kTableSubject, place, fmt::format("{} cells", kTableColumns),
                    std::to_string(cells.size()));
    const auto names = cells_of(kTableHeader);
    for (size_t i = 0; i < cells.size(); ++i)
        if (cells[i].empty())
            throw Error(kTableSubject, fmt::format("{}:{}", place, names[i]), "a word or number", "nothing");
    return {std::move(cells[0]),
            std::move(cells[1]),
            whole_number<uint64_t>(cells[2], place + ":seed"),
            whole_number<int64_t>(cells[3], place + ":event"),
            whole_number<int64_t>(cells[4], place + ":step"),
            std::move(cells[5]),
            std::move(cells[6]),
            std::move(cells[7]),
            std::move(cells[8])};
}

std::string key_text(const TableRow& row) {
    return fmt::format("{},{},{},{},{},{},{},{}", row.stage, row.strategy, row.seed, row.event, row.step,
                       row.split, row.task, row.metric);
}

void require_cell(const std::string& cell, const TableRow& row) {
    if (!cell.empty() && cell.find_first_of(",\"\r\n") == std::string::npos) return;
    throw Error(kTableSubject, fmt::format("{} (seed {}): {}", row.stage, row.seed, row.metric),
                "cells without comma, quote or line break, and none empty", fmt::format("'{}'", cell));
}

}  // namespace

std::string number_text(double number) {
    return fmt::format("{}", number);
}

Table Table::read(const std::filesystem::path& path) {
    return parse(read_file(path, kTableSubject), path.string());
}

Table Table::parse(const std::string& text, const std::string& name) {
    Table table;
    table.name_ = name;
    int64_t number = 0;
    for (size_t start = 0; start < text.size(); ++number) {
        const size_t end = std::min(text.find('\n', start), text.size());
        std::string line = text.substr(start, end - start);
        if (line.ends_with('\r')) line.pop_back();
        start = end + 1;
        const auto place = fmt::format("{}:{}", name, number + 1);
        if (number > 0)
            table.rows_.push_back(row_of(line, place));
        else if (line != kTableHeader)
            throw Error(kTableSubject, place, fmt::format("the header line '{}'", kTableHeader),
                        fmt::format("'{}'", line.substr(0, 80)));
    }
    if (number == 0) throw Error(kTableSubject, name + ":1", "a header line", "an empty file");
    table.require_distinct();
    return table;
}

void Table::add(TableRow row) {
    for (const auto& cell : {row.stage, row.strategy, row.split, row.task, row.metric, row.value})
        require_cell(cell, row);
    rows_.push_back(std::move(row));
}

void Table::add(TableRow key, const std::string& metric, double value) {
    key.metric = metric;
    key.value = number_text(value);
    add(std::move(key));
}

void Table::append(const Table& other) {
    rows_.insert(rows_.end(), other.rows_.begin(), other.rows_.end());
}

double Table::number(size_t index) const {
    const auto& cell = rows_.at(index).value;
    double number = 0.0;
    const char* end = cell.data() + cell.size();
    const auto [stop, code] = std::from_chars(cell.data(), end, number);
    if (code != std::errc() || stop != end)
        throw Error(kTableSubject, place(index, "value"), "a number", fmt::format("'{}'", cell));
    return number;
}

std::string Table::place(size_t index, const std::string& column) const {
    return fmt::format("{}:{}:{}", name_, index + 2, column);
}

void Table::require_distinct() const {
    std::unordered_map<std::string, size_t> seen;
    for (size_t i = 0; i < rows_.size(); ++i) {
        const auto [known, added] = seen.emplace(key_text(rows_[i]), i);
        if (!added)
            throw Error(kTableSubject, place(i, "metric"), "each row once",
                        fmt::format("{} again, first in line {}", known->first, known->second + 2));
    }
}

std::string Table::text() const {
    require_distinct();
    std::string text = fmt::format("{}\n", kTableHeader);
    for (const auto& row : rows_) text += fmt::format("{},{}\n", key_text(row), row.value);
    return text;
}

void Table::write(const std::filesystem::path& path) const {
    write_file_atomically(path, text());
}

}  // namespace mtlprune
