#include "training/update_options.h"

#include <limits>

#include "training/weighting/task_weighting.h"

namespace mtlprune {

UpdateOptions read_update_options(JsonReader& reader) {
    const UpdateOptions usual;
    UpdateOptions options;
    options.accumulate = reader.integer("accumulate", usual.accumulate, 1, 1'000'000);
    options.clip_norm = reader.number("clip_norm", usual.clip_norm, 0.0, std::numeric_limits<double>::max());
    options.precision = reader.choice("precision", usual.precision, precisions());
    options.task_weighting = reader.get("task_weighting", usual.task_weighting);
    try {
        require_task_weighting(options.task_weighting);
    } catch (const Error& error) {
        throw Error("configuration", reader.place() + ": task_weighting", error.problem());
    }
    options.flush_denormals = reader.get("flush_denormals", usual.flush_denormals);
    if (options.accumulate == usual.accumulate) reader.leave_out("accumulate");
    if (options.clip_norm == usual.clip_norm) reader.leave_out("clip_norm");
    if (options.precision == usual.precision) reader.leave_out("precision");
    if (options.task_weighting == usual.task_weighting) reader.leave_out("task_weighting");
    if (options.flush_denormals == usual.flush_denormals) reader.leave_out("flush_denormals");
    return options;
}

}  // namespace mtlprune
