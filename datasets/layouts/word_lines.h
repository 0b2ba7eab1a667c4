// Lists of words in text files.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text_file.h"

namespace mtlprune {

/// The words of a text file, line by line; in CSV files commas are between them.
class WordLines {
  public:
    explicit WordLines(const std::filesystem::path& path)
        : place_(path.string()),
          text_(read_text(path, "CelebA list")),
          spaces_(path.extension() == ".csv" ? ", \t\r" : " \t\r") {}

    /// Moves to the next line that is not empty; false at the end.
    bool next() {
        words_.clear();
        while (words_.empty() && at_ < text_.size()) {
            const size_t end = std::min(text_.find('\n', at_), text_.size());
            split(std::string_view(text_).substr(at_, end - at_));
            at_ = end + 1;
            ++line_;
        }
        return !words_.empty();
    }
    const std::vector<std::string_view>& words() const { return words_; }
    std::string where() const { return fmt::format("{}: line {}", place_, line_); }

    int number(size_t word) const {
        const auto text = words_[word];
        int value = 0;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (code != std::errc() || end != text.data() + text.size())
            throw Error("CelebA list", where(), "a number", "'" + std::string(text.substr(0, 40)) + "'");
        return value;
    }

  private:
    void split(std::string_view line) {
        for (size_t start = line.find_first_not_of(spaces_); start != std::string_view::npos;) {
            const size_t end = std::min(line.find_first_of(spaces_, start), line.size());
            words_.push_back(line.substr(start, end - start));
            start = line.find_first_not_of(spaces_, end);
        }
    }

    std::string place_, text_;
    const char* spaces_;
    size_t at_ = 0;
    int64_t line_ = 0;
    std::vector<std::string_view> words_;
};

}  // namespace mtlprune
