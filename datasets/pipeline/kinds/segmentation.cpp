// Class indices of pixels.
#include "datasets/contract/label_checks.h"
#include "datasets/pipeline/kinds/kinds.h"
#include "datasets/pipeline/label_rows.h"
#include "datasets/pipeline/predicted_pixels.h"
#include "datasets/pipeline/targets.h"

namespace mtlprune {
namespace {

void write_segmentation(const Label& label, const TaskSpec&, const TargetGeometry& geometry,
                        const TargetPlace& target) {
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    for_each_row<uint8_t>(label.pixels, geometry.window, kIgnore, [&](int64_t y, const uint8_t* row) {
        int64_t* const values = target.classes + y * width;
        bool* const valid = target.mask + y * width;
        for (int64_t x = 0; x < width; ++x) {
            valid[x] = row[x] != kIgnore;
            values[x] = row[x] == kIgnore ? 0 : row[x];
        }
    });
}

Label predicted_classes(const torch::Tensor& prediction, NormalsTarget) {
    return {to_pixels(prediction.argmax(0).to(torch::kByte), CV_8UC1)};
}

void check_segmentation(const Label& label, const TaskSpec& task, const std::string& place) {
    check_classes(label.pixels, task.channels, place);
}

}  // namespace

LabelKind segmentation_labels() {
    return {.kind = TaskKind::segmentation,
            .content = LabelContent::classes,
            .pixel_types = {CV_8UC1},
            .write = write_segmentation,
            .from_prediction = predicted_classes,
            .check = check_segmentation};
}

}  // namespace mtlprune
