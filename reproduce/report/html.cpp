#include "reproduce/report/html.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr std::string_view kDash = "–";

std::string with_minus_sign(std::string_view number) {
    std::string shown = html_escape(number);
    for (size_t at = shown.find('-'); at != std::string::npos; at = shown.find('-', at + 3))
        if (at == 0 || shown[at - 1] != 'e') shown.replace(at, 1, "−");
    return shown;
}

}  // namespace

std::string html_escape(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string encoded;
    encoded.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t left = std::min<size_t>(3, bytes.size() - i);
        uint32_t triple = 0;
        for (size_t k = 0; k < 3; ++k)
            triple = triple << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (size_t k = 0; k < 4; ++k) encoded += k <= left ? digits[triple >> (18 - 6 * k) & 63] : '=';
    }
    return encoded;
}

std::string html_table(const std::vector<std::string>& header, const std::vector<std::vector<HtmlCell>>& rows,
                       const std::string& caption) {
    std::string html = "<div class=\"scroll\"><table>\n";
    if (!caption.empty()) html += fmt::format("<caption>{}</caption>\n", html_escape(caption));
    html += "<thead><tr>";
    for (size_t i = 0; i < header.size(); ++i) {
        const bool number = !rows.empty() && i < rows.front().size() && rows.front()[i].number;
        html += fmt::format("<th scope=\"col\"{}>{}</th>", number ? " class=\"number\"" : "",
                            html_escape(header[i]));
    }
    html += "</tr></thead>\n<tbody>\n";
    for (const std::vector<HtmlCell>& row : rows) {
        if (row.size() != header.size())
            throw Error("HTML table", "row", fmt::format("{} cells", header.size()),
                        std::to_string(row.size()));
        html += "<tr>";
        for (const HtmlCell& cell : row)
            html += fmt::format("<td{}>{}</td>", cell.number ? " class=\"number\"" : "", cell.html);
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

HtmlCell text_cell(std::string_view text) {
    return {html_escape(text), false};
}

HtmlCell number_cell(std::string_view formatted) {
    return {with_minus_sign(formatted), true};
}

HtmlCell number_cell(double value, int digits, bool with_sign) {
    if (std::isnan(value)) return {std::string(kDash), true};
    return number_cell(with_sign ? fmt::format("{:+.{}f}", value, digits)
                                 : fmt::format("{:.{}f}", value, digits));
}

HtmlCell p_value_cell(double p) {
    if (std::isnan(p)) return {std::string(kDash), true};
    return p < 0.001 ? HtmlCell{"&lt; 0.001", true} : number_cell(p, 3);
}

}  // namespace mtlprune
