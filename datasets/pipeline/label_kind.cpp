#include "datasets/pipeline/label_kind.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "datasets/pipeline/kinds/kinds.h"

namespace mtlprune {
namespace {

void check_class(const Label& label, const TaskSpec& task, const Sample& sample) {
    if (label.class_index == kNoClass)
        throw Error("sample", sample.id, "a class of task " + task.name, "none");
    if (label.class_index < kUnknownClass || label.class_index >= task.channels)
        throw Error("sample", sample.id + ": " + task.name,
                    fmt::format("a class in 0..{} or -1", task.channels - 1),
                    std::to_string(label.class_index));
}

}  // namespace

const std::vector<LabelKind>& label_kinds() {
    static const std::vector<LabelKind> kinds = {segmentation_labels(), normals_labels(),
                                                 depth_labels(),        keypoints_labels(),
                                                 edges_labels(),        classification_labels()};
    return kinds;
}

const LabelKind& label_kind(TaskKind kind) {
    for (const auto& record : label_kinds())
        if (record.kind == kind) return record;
    throw Error("task", to_string(kind), "a record in label_kinds()", "none");
}

void check_label(const Label& label, const TaskSpec& task, const Sample& sample) {
    const LabelKind& kind = label_kind(task.kind);
    if (kind.per_image) return check_class(label, task, sample);
    const cv::Mat& pixels = label.pixels;
    if (pixels.empty()) throw Error("sample", sample.id, "labels of task " + task.name, "none");
    const auto& types = kind.pixel_types;
    if (std::find(types.begin(), types.end(), pixels.type()) == types.end() ||
        pixels.size() != sample.image.size())
        throw Error("sample", sample.id,
                    "labels of task " + task.name + " in their documented type and the image's size",
                    "another type or size");
}

}  // namespace mtlprune
