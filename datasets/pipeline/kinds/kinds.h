// The records behind label_kinds(), one file per kind.
#pragma once

#include "datasets/pipeline/label_kind.h"

namespace mtlprune {

LabelKind segmentation_labels();
LabelKind normals_labels();
LabelKind depth_labels();
LabelKind keypoints_labels();
LabelKind edges_labels();
LabelKind classification_labels();

}  // namespace mtlprune
