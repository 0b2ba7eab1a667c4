// What the data pipeline knows about each kind of task.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

struct TargetGeometry;

/// What the values of a label are, which decides the form of targets and how statistics and pictures treat
/// them. `classes`: int64 targets [B,H,W], or [B] of whole images. `directions`: float32 [B,3,H,W] unit
/// vectors. `values`: float32 [B,channels,H,W].
enum class LabelContent { classes, directions, values };

/// The range of `values` for histograms and pictures; logarithmic ones are coloured from near to far, others
/// grey.
struct ValueRange {
    double low = 0.0;
    double high = 1.0;
    int64_t bins = 100;
    bool logarithmic = false;
};

/// Where the target of one sample is written: its first element and the first of its mask.
struct TargetPlace {
    int64_t* classes = nullptr;  ///< content classes
    float* values = nullptr;     ///< other contents
    bool* mask = nullptr;
};

/// One record per kind, each in one file of datasets/pipeline/kinds/. Labels are moved and resized by nearest
/// neighbour (cv::INTER_NEAREST) whatever their kind.
struct LabelKind {
    TaskKind kind;
    LabelContent content;
    bool per_image = false;             ///< one class of the whole image: Label::class_index, no pixels
    std::vector<int> pixel_types = {};  ///< OpenCV types that Label::pixels may have
    ValueRange range = {};              ///< content values
    std::string unit = {};              ///< of values that are not inverse, see unit_of()
    /// Writes a label of a right form, moved, mirrored and scaled as `geometry` says; writes every element.
    void (*write)(const Label& label, const TaskSpec& task, const TargetGeometry& geometry,
                  const TargetPlace& target);
    /// A prediction [C,h,w] in the form of the target as a label of its own size, for pictures.
    Label (*from_prediction)(const torch::Tensor& prediction, NormalsTarget normals);
    /// Throws Error naming `place` for values out of range; may be nothing.
    void (*check)(const Label& label, const TaskSpec& task, const std::string& place) = nullptr;

    /// Of a task's values; "" for inverse ones, whose scale is the data set's own.
    std::string unit_of(const TaskSpec& task) const { return task.inverse ? "" : unit; }
};

/// Every kind, in the order in which packed files store them.
const std::vector<LabelKind>& label_kinds();

const LabelKind& label_kind(TaskKind kind);

/// Throws Error naming sample and task unless `label` has the form that its kind documents: pixels of a known
/// type and the image's size, or a class in range.
void check_label(const Label& label, const TaskSpec& task, const Sample& sample);

}  // namespace mtlprune
