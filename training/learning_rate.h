// Learning-rate schedules: the rate of every iteration in closed form, so that a resumed training goes on
// exactly.
#pragma once

#include <cstdint>

#include "base/json_reader.h"

namespace mtlprune {

enum class LearningRateKind { constant, cosine, step, poly };

/// Steps are `every` iterations long (an epoch, say).
struct LearningRateSchedule {
    LearningRateKind kind = LearningRateKind::constant;
    int64_t t_max = 1;      ///< cosine: half a period; poly: steps until the rate is 0
    double min_lr = 0.0;    ///< cosine: the lowest rate
    int64_t step_size = 1;  ///< step: the rate is multiplied by gamma every step_size steps
    double gamma = 0.1;
    double power = 0.9;  ///< poly
    int64_t every = 1;
    int64_t warm_up = 0;  ///< iterations, see learning_rate()
    bool operator==(const LearningRateSchedule&) const = default;
};

/// Keys kind (default constant), every, warm_up; cosine: t_max (required), min_lr; step: step_size
/// (required), gamma; poly: t_max (required), power. Throws Error on a value out of range or an unknown key.
LearningRateSchedule read_learning_rate_schedule(JsonReader reader);

/// The rate of iteration 0, 1, ...: closed forms of torch's CosineAnnealingLR (which rises again after
/// t_max), StepLR and PolynomialLR (base_lr (1 - step / t_max)^power, 0 from t_max on; the "poly" rate of
/// Chen et al., DeepLab, 2018). In the first `warm_up` iterations that rate is multiplied by
/// (iteration + 1) / warm_up.
double learning_rate(const LearningRateSchedule& schedule, double base_lr, int64_t iteration);

/// The same curve over `factor` times as many iterations (whole steps, at least one).
LearningRateSchedule stretched(LearningRateSchedule schedule, double factor);

}  // namespace mtlprune
