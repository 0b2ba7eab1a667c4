// How an iteration makes one update of a network out of its mini-batches.
#pragma once

#include <cstdint>
#include <string>

#include "base/json_reader.h"
#include "training/precision.h"

namespace mtlprune {

struct UpdateOptions {
    /// Mini-batches of an iteration: its gradients are the means of theirs. That of one mini-batch as large
    /// as all, where losses are means over equally many valid pixels.
    int64_t accumulate = 1;
    double clip_norm = 0.0;  ///< of all gradients together, see clip_gradients(); 0: as large as they are
    Precision precision = Precision::float32;
    std::string task_weighting = "fixed";  ///< of task_weightings(), with its options
    bool flush_denormals = false;          ///< see FlushDenormals
    bool operator==(const UpdateOptions&) const = default;
};

/// Keys accumulate, clip_norm, precision, task_weighting, flush_denormals. Those at their defaults are not in
/// the reader's resolved(). Throws Error on a value out of range and an unknown weighting.
UpdateOptions read_update_options(JsonReader& reader);

}  // namespace mtlprune
