// The one table of results, in long form: one number per row, with all that says what it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

/// One cell of knowledge: "in stage `stage` (made by `strategy`, with this seed), after `event` pruning
/// events, at iteration `step`, on `split`, for `task`, `metric` is `value`". No part is empty: kNoSplit and
/// kAllTasks stand where none applies, event and step are then 0.
struct TableRow {
    std::string stage, strategy;
    uint64_t seed = 0;
    int64_t event = 0, step = 0;
    std::string split, task, metric, value;

    bool operator==(const TableRow&) const = default;
};

constexpr const char* kNoSplit = "none";
constexpr const char* kAllTasks = "all";

/// The shortest decimal text that reads back as the same double, under every locale.
std::string number_text(double number);

/// Rows in order, each (stage, strategy, seed, event, step, split, task, metric) once. In a file: a header
/// line with the nine column names, then one line per row, cells separated by commas, no quoting.
class Table {
  public:
    /// Reads a file strictly. Throws Error naming file, line and column on another header, another number of
    /// cells, an empty cell, a seed, event or step that is no integer >= 0, or a row that occurs twice.
    static Table read(const std::filesystem::path& path);
    /// As read(), from text; `name` stands for the file in messages.
    static Table parse(const std::string& text, const std::string& name);

    /// Throws Error on an empty cell and on one that holds a comma, a quote or a line break.
    void add(TableRow row);
    /// `key` with this value.
    void add(TableRow key, const std::string& metric, double value);
    void append(const Table& other);

    const std::vector<TableRow>& rows() const { return rows_; }
    bool empty() const { return rows_.empty(); }
    /// The value of row `index` as a number ("nan" is one). Throws Error naming its place otherwise.
    double number(size_t index) const;
    /// "<file>:<line>:<column>" of a row that was read, for messages about its meaning.
    std::string place(size_t index, const std::string& column) const;

    /// The content of the file. Throws Error when a row occurs twice.
    std::string text() const;
    /// Writes the file; it exists completely or not at all.
    void write(const std::filesystem::path& path) const;

  private:
    void require_distinct() const;

    std::string name_ = "table";
    std::vector<TableRow> rows_;
};

}  // namespace mtlprune
