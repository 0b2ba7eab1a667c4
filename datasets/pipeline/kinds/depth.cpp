// Depth in metres, or inverse depth in the data set's scale.
#include "datasets/contract/label_checks.h"
#include "datasets/pipeline/kinds/kinds.h"
#include "datasets/pipeline/label_rows.h"
#include "datasets/pipeline/predicted_pixels.h"
#include "datasets/pipeline/targets.h"

namespace mtlprune {
namespace {

constexpr float kMissingDepth = 3e-5f;

/// A scene moved nearer has smaller depths and larger inverse ones.
void write_depth(const Label& label, const TaskSpec& task, const TargetGeometry& geometry,
                 const TargetPlace& target) {
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    const auto factor =
        static_cast<float>(task.inverse ? 1.0 / geometry.depth_factor : geometry.depth_factor);
    for_each_row<float>(label.pixels, geometry.window, 0.0f, [&](int64_t y, const float* row) {
        float* const values = target.values + y * width;
        bool* const valid = target.mask + y * width;
        for (int64_t x = 0; x < width; ++x) {
            values[x] = row[x] * factor;
            valid[x] = row[x] > kMissingDepth;
        }
    });
}

void check_depth_label(const Label& label, const TaskSpec&, const std::string& place) {
    check_depth(label.pixels, place);
}

}  // namespace

LabelKind depth_labels() {
    return {.kind = TaskKind::depth,
            .content = LabelContent::values,
            .pixel_types = {CV_32FC1},
            .range = {0.01, 1000.0, 200, /*logarithmic=*/true},
            .unit = "m",
            .write = write_depth,
            .from_prediction = predicted_values,
            .check = check_depth_label};
}

}  // namespace mtlprune
