// Strict reading of the comma-separated result tables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace mtlprune {

/// A table of plain fields (no quoting): one header line, then rows with as many fields as the header.
/// Errors name file, line and column.
class CsvTable {
  public:
    /// Reads the file. Throws Error when it is unreadable or empty, when a column of `columns` is missing or
    /// any column occurs twice, when a row has another number of fields than the header, or when there is no
    /// row at all (unless `may_be_empty`). Columns that nobody asked for are allowed.
    static CsvTable read(const std::filesystem::path& path, const std::vector<std::string>& columns,
                         bool may_be_empty = false);

    /// As read(), from text; `name` stands for the file in messages.
    static CsvTable parse(const std::string& text, const std::string& name,
                          const std::vector<std::string>& columns, bool may_be_empty = false);

    int64_t rows() const { return static_cast<int64_t>(fields_.size()); }

    /// A non-empty field.
    const std::string& text(int64_t row, const std::string& column) const;

    /// A decimal number, read the same way under every locale; "nan" is allowed.
    double number(int64_t row, const std::string& column) const;

    int64_t integer(int64_t row, const std::string& column) const;

    /// "<file>:<line>:<column>", for messages about a field's meaning.
    std::string place(int64_t row, const std::string& column) const;

  private:
    CsvTable(std::string name, std::map<std::string, size_t> columns)
        : name_(std::move(name)), columns_(std::move(columns)) {}

    const std::string& field(int64_t row, const std::string& column) const;

    std::string name_;
    std::map<std::string, size_t> columns_;
    std::vector<std::vector<std::string>> fields_;
    std::vector<int64_t> lines_;
};

}  // namespace mtlprune
