// Weights of files into networks, by name.
#pragma once

#include <string>
#include <vector>

#include "models/multi_task_model.h"
#include "models/weights/weights_file.h"

namespace mtlprune {

/// What became of the entries of a file.
struct WeightsReport {
    struct Misshaped {
        std::string name;  ///< in the file
        std::vector<int64_t> expected, found;
    };
    std::vector<std::string> loaded;      ///< as the file names them
    std::vector<std::string> left_out;    ///< of the classifier that the backbone was released with
    std::vector<std::string> missing;     ///< that the network has and the file lacks
    std::vector<std::string> unexpected;  ///< that the file has and the network lacks
    std::vector<Misshaped> misshaped;

    bool is_complete() const { return missing.empty() && unexpected.empty() && misshaped.empty(); }
    /// A line per kind, with the first names of each.
    std::string text() const;
};

/// Copies the entries that fit into parameters and buffers; the report says what did not. Nothing is copied
/// when `strict` and something is missing, unexpected or of another shape: an Error names `place` and all of
/// it. Names are those of named_parameters(), also behind "model." (a checkpoint of training) or "module.",
/// or those with which the backbone alone was released (Backbone::released_name), whichever fit more. Counts
/// of batches, which older files lack, may be missing.
WeightsReport load_weights(MultiTaskModel& model, const TensorMap& weights, const std::string& place,
                           bool strict = true);

}  // namespace mtlprune
