// Small pieces of HTML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mtlprune {

/// Replaces & < > " ' by entities; fit for element text and quoted attributes.
std::string html_escape(std::string_view text);

/// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);

/// A table cell; `number` cells are right-aligned. `html` is inserted as it is: escape it first.
struct HtmlCell {
    std::string html;
    bool number = false;
};

/// <table> with a header row (escaped here) and rows of cells. Every row must have as many cells as the
/// header (throws Error); header texts of number columns are right-aligned by the cells of the first row.
std::string html_table(const std::vector<std::string>& header, const std::vector<std::vector<HtmlCell>>& rows,
                       const std::string& caption = "");

/// An escaped text cell, and a number cell with a typographic minus sign; NaN shows as "–".
HtmlCell text_cell(std::string_view text);
HtmlCell number_cell(std::string_view formatted);
HtmlCell number_cell(double value, int digits, bool with_sign = false);

/// "0.012", "< 0.001"; NaN shows as "–".
HtmlCell p_value_cell(double p);

}  // namespace mtlprune
