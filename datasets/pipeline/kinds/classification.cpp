// One class of the whole image.
#include "datasets/pipeline/kinds/kinds.h"

namespace mtlprune {
namespace {

void write_class(const Label& label, const TaskSpec&, const TargetGeometry&, const TargetPlace& target) {
    *target.mask = label.class_index >= 0;
    *target.classes = *target.mask ? label.class_index : 0;
}

/// Of scores [C], or of the mean over the positions of a map of them.
Label predicted_class(const torch::Tensor& prediction, NormalsTarget) {
    const auto scores = prediction.dim() == 3 ? prediction.mean({1, 2}) : prediction;
    return {{}, scores.argmax().item<int64_t>()};
}

}  // namespace

LabelKind classification_labels() {
    return {.kind = TaskKind::classification,
            .content = LabelContent::classes,
            .per_image = true,
            .write = write_class,
            .from_prediction = predicted_class};
}

}  // namespace mtlprune
