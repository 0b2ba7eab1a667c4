#include "datasets/inspect/contact_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "datasets/inspect/class_list.h"
#include "datasets/inspect/label_colours.h"
#include "datasets/pipeline/label_kind.h"

namespace mtlprune {
namespace {

constexpr size_t kMostClassTiles = 3;
constexpr int kListTiles = 2;  // as wide as
constexpr int kGap = 6, kGroupGap = 22, kCaption = 18, kHeader = 26, kLegendRow = 20, kMargin = 10;
const cv::Scalar kPaper = cv::Scalar::all(250), kInk = cv::Scalar::all(30), kWhite = cv::Scalar::all(255);
const cv::Scalar kRight = {110, 140, 30}, kWrong = {50, 50, 190};

void write(cv::Mat& sheet, const std::string& text, cv::Point baseline, double size,
           const cv::Scalar& colour) {
    cv::putText(sheet, text, baseline, cv::FONT_HERSHEY_SIMPLEX, size, colour, 1, cv::LINE_AA);
}

int text_width(const std::string& text, double size) {
    int baseline = 0;
    return cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, size, 1, &baseline).width;
}

/// `text` shortened from the left until it fits into `width` pixels.
std::string fitted(std::string text, int width, double size) {
    bool cut = false;
    while (text.size() > 3 && text_width(cut ? "..." + text : text, size) > width) {
        text.erase(0, 1);
        cut = true;
    }
    return cut ? "..." + text : text;
}

/// A dark strip at the bottom of the tile with the colour scale between its two ends.
void draw_scale(cv::Mat tile, std::pair<float, float> range, const std::string& unit) {
    constexpr double kSize = 0.36;
    constexpr int kStrip = 15;
    if (tile.rows < 2 * kStrip) return;
    cv::Mat strip = tile.rowRange(tile.rows - kStrip, tile.rows);
    strip.setTo(kInk);
    const std::string near = fmt::format("{:.1f} {}", range.first, unit),
                      far = fmt::format("{:.1f} {}", range.second, unit);
    const int left = text_width(near, kSize) + 7, right = tile.cols - text_width(far, kSize) - 7;
    write(strip, near, {3, kStrip - 4}, kSize, kWhite);
    write(strip, far, {right + 4, kStrip - 4}, kSize, kWhite);
    if (right - left < 8) return;
    cv::Mat ramp(1, 256, CV_8UC1), colours;
    for (int i = 0; i < 256; ++i) ramp.at<uint8_t>(i) = static_cast<uint8_t>(255 - i);
    cv::applyColorMap(ramp, colours, cv::COLORMAP_VIRIDIS);
    cv::Mat bar = strip(cv::Rect(left, 4, right - left, kStrip - 8));
    cv::resize(colours, bar, bar.size(), 0, 0, cv::INTER_LINEAR);
}

class Sheet {
  public:
    Sheet(const std::vector<Sample>& samples, const std::vector<TaskSpec>& tasks,
          const std::vector<std::vector<Label>>* predictions, const ContactSheetOptions& options)
        : samples_(samples), tasks_(tasks), predictions_(predictions), options_(options) {
        check();
        tile_.width = options.tile_width;
        for (const Sample& sample : samples)
            tile_.height = std::max(tile_.height, tile_.width * sample.image.rows / sample.image.cols);
        list_classes();
        const int tiles = 1 + static_cast<int>(tasks.size() - listed_.size()) * (predictions ? 2 : 1) +
                          (listed_.empty() ? 0 : kListTiles);
        group_width_ = tiles * (tile_.width + kGap) - kGap;
        columns_ = std::min<int>(options.columns, static_cast<int>(samples.size()));
        rows_ = (static_cast<int>(samples.size()) + columns_ - 1) / columns_;
        width_ = 2 * kMargin + columns_ * (group_width_ + kGroupGap) - kGroupGap;
        place_legend();
    }

    cv::Mat draw() {
        const int row_height = kCaption + tile_.height + kGap;
        const int height = kHeader + rows_ * row_height + legend_rows_ * kLegendRow + kMargin;
        sheet_ = cv::Mat(height, width_, CV_8UC3, kPaper);
        for (int column = 0; column < columns_; ++column) draw_titles(group_left(column));
        for (size_t i = 0; i < samples_.size(); ++i) {
            const int column = static_cast<int>(i) % columns_, row = static_cast<int>(i) / columns_;
            draw_frame(i, group_left(column), kHeader + row * row_height);
        }
        draw_legend(kHeader + rows_ * row_height);
        return sheet_;
    }

  private:
    /// Many classes of images become one list.
    void list_classes() {
        for (size_t t = 0; t < tasks_.size(); ++t)
            if (label_kind(tasks_[t].kind).per_image) listed_.push_back(t);
        if (listed_.size() <= kMostClassTiles) listed_.clear();
    }
    bool is_listed(size_t t) const { return std::find(listed_.begin(), listed_.end(), t) != listed_.end(); }

    void check() const {
        if (samples_.empty()) throw Error("contact sheet", "samples", "1 or more", "0");
        if (options_.columns < 1)
            throw Error("contact sheet", "columns", "1 or more", std::to_string(options_.columns));
        if (options_.tile_width < 64)
            throw Error("contact sheet", "tile_width", "64 or more", std::to_string(options_.tile_width));
        for (const Sample& sample : samples_)
            if (sample.image.empty() || sample.image.type() != CV_8UC3)
                throw Error("contact sheet", sample.id, "an 8-bit colour image",
                            sample.image.empty() ? "none" : cv::typeToString(sample.image.type()));
        for (const Sample& sample : samples_)
            if (sample.labels.size() != tasks_.size())
                throw Error("contact sheet", sample.id, fmt::format("{} labels", tasks_.size()),
                            std::to_string(sample.labels.size()));
        if (!predictions_) return;
        if (predictions_->size() != samples_.size())
            throw Error("contact sheet", "predictions", fmt::format("{} frames", samples_.size()),
                        std::to_string(predictions_->size()));
        for (size_t i = 0; i < samples_.size(); ++i)
            if ((*predictions_)[i].size() != tasks_.size())
                throw Error("contact sheet", samples_[i].id + ": predictions",
                            fmt::format("{} tasks", tasks_.size()),
                            std::to_string((*predictions_)[i].size()));
    }

    int group_left(int column) const { return kMargin + column * (group_width_ + kGroupGap); }

    void draw_titles(int left) {
        const auto title = [&](const std::string& text) {
            write(sheet_, fitted(text, tile_.width, 0.46), {left, kHeader - 8}, 0.46, kInk);
            left += tile_.width + kGap;
        };
        title("image");
        for (size_t t = 0; t < tasks_.size(); ++t) {
            if (is_listed(t)) continue;
            title(tasks_[t].name);
            if (predictions_) title("predicted");
        }
        if (!listed_.empty()) title(fmt::format("{} classes", listed_.size()));
    }

    void draw_frame(size_t i, int left, int top) {
        const Sample& sample = samples_[i];
        write(sheet_, fitted(sample.id, group_width_, 0.4), {left, top + kCaption - 6}, 0.4, kInk);
        top += kCaption;
        put(sample.image, left, top, cv::INTER_AREA);
        for (size_t t = 0; t < tasks_.size(); ++t) {
            if (is_listed(t)) continue;
            const Label* predicted = predictions_ ? &(*predictions_)[i][t] : nullptr;
            left = label_kind(tasks_[t].kind).per_image ? draw_classes(sample, t, predicted, left, top)
                                                        : draw_labels(sample, t, predicted, left, top);
        }
        if (listed_.empty()) return;
        const cv::Rect area(left + tile_.width + kGap, top, kListTiles * (tile_.width + kGap) - kGap,
                            tile_.height);
        draw_class_lines(sheet_(area), class_lines(tasks_, listed_, sample.labels,
                                                   predictions_ ? &(*predictions_)[i] : nullptr));
    }

    /// The label and, if any, its prediction in the same colours; returns where the last tile begins.
    int draw_labels(const Sample& sample, size_t t, const Label* predicted, int left, int top) {
        const cv::Mat& label = sample.labels[t].pixels;
        const std::pair<float, float> range =
            label_kind(tasks_[t].kind).range.logarithmic
                ? depth_range(label.empty() && predicted ? predicted->pixels : label)
                : std::pair(0.0f, 1.0f);
        draw_label(label, tasks_[t], range, sample.id, left += tile_.width + kGap, top);
        if (predicted)
            draw_label(predicted->pixels, tasks_[t], range, sample.id + " predicted",
                       left += tile_.width + kGap, top);
        return left;
    }

    void draw_label(const cv::Mat& label, const TaskSpec& task, std::pair<float, float> range,
                    const std::string& place, int left, int top) {
        const cv::Rect area(left, top, tile_.width, tile_.height);
        if (label.empty()) {
            sheet_(area).setTo(cv::Scalar::all(0));
            return;
        }
        put(colour_label(label, task, range, place + ": " + task.name), left, top, cv::INTER_NEAREST);
        const std::string unit = label_kind(task.kind).unit_of(task);
        if (!unit.empty()) draw_scale(sheet_(area), range, unit);
    }

    /// The class and, if any, its prediction; returns where the last tile begins.
    int draw_classes(const Sample& sample, size_t t, const Label* predicted, int left, int top) {
        const int64_t label = sample.labels[t].class_index;
        draw_class(label, cv::Scalar::all(90), left += tile_.width + kGap, top);
        if (!predicted) return left;
        const int64_t guess = predicted->class_index;
        if (guess == kNoClass)
            throw Error("contact sheet", sample.id + " predicted: " + tasks_[t].name, "a class", "none");
        draw_class(guess,
                   label < 0        ? kInk
                   : guess == label ? kRight
                                    : kWrong,
                   left += tile_.width + kGap, top);
        return left;
    }

    void draw_class(int64_t label, const cv::Scalar& background, int left, int top) {
        constexpr double kSize = 1.2;
        const std::string text = label < 0 ? "?" : std::to_string(label);
        sheet_(cv::Rect(left, top, tile_.width, tile_.height)).setTo(background);
        write(sheet_, text, {left + (tile_.width - text_width(text, kSize)) / 2, top + tile_.height / 2 + 12},
              kSize, kWhite);
    }

    void put(const cv::Mat& picture, int left, int top, int interpolation) {
        const int height = std::min(tile_.height, std::max(1, tile_.width * picture.rows / picture.cols));
        cv::Mat area = sheet_(cv::Rect(left, top, tile_.width, height));
        cv::resize(picture, area, area.size(), 0, 0, interpolation);
    }

    /// Of the first task with classes of pixels, which the legend names.
    int64_t classes() const {
        for (const TaskSpec& task : tasks_) {
            const LabelKind& kind = label_kind(task.kind);
            if (kind.content == LabelContent::classes && !kind.per_image) return task.channels;
        }
        return 0;
    }

    /// Breaks the legend into rows that fit the sheet.
    void place_legend() {
        const size_t count = std::min<size_t>(options_.class_names.size(), static_cast<size_t>(classes()));
        cv::Point at(kMargin, 0);
        for (size_t i = 0; i < count; ++i) {
            const int width = 18 + text_width(options_.class_names[i], 0.4) + 14;
            if (at.x > kMargin && at.x + width > width_ - kMargin) at = {kMargin, at.y + kLegendRow};
            legend_.push_back(at);
            at.x += width;
        }
        legend_rows_ = legend_.empty() ? 0 : at.y / kLegendRow + 1;
    }

    void draw_legend(int top) {
        if (legend_.empty()) return;
        const std::vector<cv::Vec3b> colours = palette(classes());
        for (size_t i = 0; i < legend_.size(); ++i) {
            const cv::Point at(legend_[i].x, top + legend_[i].y);
            cv::rectangle(sheet_, cv::Rect(at.x, at.y + 4, 12, 12), cv::Scalar(colours[i]), cv::FILLED);
            write(sheet_, options_.class_names[i], {at.x + 17, at.y + 14}, 0.4, kInk);
        }
    }

    const std::vector<Sample>& samples_;
    const std::vector<TaskSpec>& tasks_;
    const std::vector<std::vector<Label>>* predictions_;
    const ContactSheetOptions& options_;
    std::vector<size_t> listed_;  // tasks with classes of images that share a list
    cv::Size tile_{0, 0};
    int group_width_ = 0, columns_ = 0, rows_ = 0, width_ = 0, legend_rows_ = 0;
    std::vector<cv::Point> legend_;
    cv::Mat sheet_;
};

}  // namespace

cv::Mat contact_sheet(const std::vector<Sample>& samples, const std::vector<TaskSpec>& tasks,
                      const std::vector<std::vector<Label>>* predictions,
                      const ContactSheetOptions& options) {
    return Sheet(samples, tasks, predictions, options).draw();
}

}  // namespace mtlprune
