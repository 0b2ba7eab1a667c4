// What a data set's own frames say against how they are read.
#pragma once

#include <vector>

#include "base/error.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

/// Looks at up to `frames` frames, evenly spaced, and passes over those that cannot be decoded. One Error for
/// each convention that the frames contradict with certainty, whose message says what is expected, what was
/// found and which key (--set data.KEY=VALUE) reads them right:
///   normals        other axes agree with normals fitted to depth (NormalEvidence), or few face the camera
///   depth          medians that no metres have (depth_verdict())
///   segmentation   a smaller number of classes (smaller_numbering())
/// and what Dataset::contradictions() adds. Weak evidence says nothing. docs/datasets/conventions.md has the
/// table.
std::vector<Error> contradictions(const Dataset& dataset, int64_t frames = 8);

/// Throws the first of contradictions() of four frames.
void require_no_contradictions(const Dataset& dataset);

}  // namespace mtlprune
