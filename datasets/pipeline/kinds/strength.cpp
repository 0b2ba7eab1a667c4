// Keypoints and edges: a strength in 0..1 at every pixel of the image.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "datasets/pipeline/kinds/kinds.h"
#include "datasets/pipeline/label_rows.h"
#include "datasets/pipeline/predicted_pixels.h"
#include "datasets/pipeline/targets.h"

namespace mtlprune {
namespace {

/// Every pixel of the image counts, padding does not.
void write_strength(const Label& label, const TaskSpec&, const TargetGeometry& geometry,
                    const TargetPlace& target) {
    const Window& window = geometry.window;
    const auto width = static_cast<int64_t>(window.columns.nearest.size());
    for_each_row<float>(label.pixels, window, 0.0f, [&](int64_t y, const float* row) {
        std::copy_n(row, width, target.values + y * width);
        const bool inside = y >= window.rows.begin && y < window.rows.end;
        for (int64_t x = 0; x < width; ++x)
            target.mask[y * width + x] = inside && x >= window.columns.begin && x < window.columns.end;
    });
}

void check_strength(const Label& label, const TaskSpec&, const std::string& place) {
    double low = 0, high = 0;
    cv::minMaxLoc(label.pixels, &low, &high);
    if (!cv::checkRange(label.pixels) || low < 0 || high > 1)
        throw Error("labels", place, "values in 0..1", fmt::format("{}..{}", low, high));
}

LabelKind strength_labels(TaskKind kind) {
    return {.kind = kind,
            .content = LabelContent::values,
            .pixel_types = {CV_32FC1},
            .write = write_strength,
            .from_prediction = predicted_values,
            .check = check_strength};
}

}  // namespace

LabelKind keypoints_labels() {
    return strength_labels(TaskKind::keypoints);
}

LabelKind edges_labels() {
    return strength_labels(TaskKind::edges);
}

}  // namespace mtlprune
