#include "datasets/inspect/class_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace mtlprune {
namespace {

constexpr int kLineHeight = 12, kListColumns = 2;
constexpr double kListText = 0.34;

std::string class_text(int64_t index) {
    return index < 0 ? "?" : std::to_string(index);
}

/// `text` cut at the end until it fits into `width` pixels.
std::string cut(std::string text, int width) {
    int baseline = 0;
    while (text.size() > 1 &&
           cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, kListText, 1, &baseline).width > width)
        text.pop_back();
    return text;
}

}  // namespace

std::vector<ClassLine> class_lines(const std::vector<TaskSpec>& tasks, const std::vector<size_t>& positions,
                                   const std::vector<Label>& labels, const std::vector<Label>* predictions) {
    std::vector<ClassLine> lines;
    for (const size_t t : positions) {
        const int64_t label = labels[t].class_index;
        const int64_t guess = predictions ? (*predictions)[t].class_index : label;
        const bool wrong = label >= 0 && guess != label, binary = tasks[t].channels == 2;
        if (wrong)
            lines.push_back(
                {fmt::format("{}: {}, predicted {}", tasks[t].name, label, class_text(guess)), true});
        else if (!binary || label < 0)
            lines.push_back({fmt::format("{}: {}", tasks[t].name, class_text(label))});
        else if (label == 1)
            lines.push_back({tasks[t].name});
    }
    if (lines.empty()) lines.push_back({"none"});
    return lines;
}

void draw_class_lines(cv::Mat area, const std::vector<ClassLine>& lines) {
    const cv::Scalar ink = cv::Scalar::all(30), red = {50, 50, 190};
    const size_t rows = static_cast<size_t>(std::max(1, area.rows / kLineHeight)), room = kListColumns * rows;
    const size_t shown = lines.size() <= room ? lines.size() : room - 1;
    const int width = area.cols / kListColumns;
    const auto write_line = [&](size_t at, const std::string& text, const cv::Scalar& colour) {
        const cv::Point place(width * static_cast<int>(at / rows) + 2,
                              kLineHeight * static_cast<int>(at % rows) + kLineHeight - 3);
        cv::putText(area, cut(text, width - 6), place, cv::FONT_HERSHEY_SIMPLEX, kListText, colour, 1,
                    cv::LINE_AA);
    };
    for (size_t i = 0; i < shown; ++i) write_line(i, lines[i].text, lines[i].wrong ? red : ink);
    if (shown < lines.size()) write_line(shown, fmt::format("and {} more", lines.size() - shown), ink);
}

}  // namespace mtlprune
