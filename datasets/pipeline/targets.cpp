#include "datasets/pipeline/targets.h"

#include "datasets/pipeline/label_kind.h"

namespace mtlprune {

Target allocate_target(const TaskSpec& task, int64_t size, int64_t height, int64_t width, bool page_locked) {
    const LabelKind& kind = label_kind(task.kind);
    const auto of_type = [&](torch::Dtype type) {
        return torch::TensorOptions(type).pinned_memory(page_locked);
    };
    const auto classes = of_type(torch::kInt64), mask = of_type(torch::kBool);
    if (kind.per_image) return {torch::empty({size}, classes), torch::empty({size}, mask)};
    return {kind.content == LabelContent::classes
                ? torch::empty({size, height, width}, classes)
                : torch::empty({size, task.channels, height, width}, of_type(torch::kFloat32)),
            torch::empty({size, 1, height, width}, mask)};
}

void write_target(const Sample& sample, const Label& label, const TaskSpec& task,
                  const TargetGeometry& geometry, Target& target, int64_t position) {
    check_label(label, task, sample);
    const LabelKind& kind = label_kind(task.kind);
    TargetPlace place;
    place.mask = target.mask.data_ptr<bool>() + position * target.mask.stride(0);
    const int64_t start = position * target.value.stride(0);
    if (kind.content == LabelContent::classes)
        place.classes = target.value.data_ptr<int64_t>() + start;
    else
        place.values = target.value.data_ptr<float>() + start;
    kind.write(label, task, geometry, place);
}

}  // namespace mtlprune
