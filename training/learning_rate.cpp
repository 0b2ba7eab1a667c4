#include "training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/enum_names.h"
#include "base/error.h"

namespace mtlprune {
namespace {

constexpr double kAnyRate = std::numeric_limits<double>::max();
constexpr int64_t kManySteps = std::numeric_limits<int64_t>::max();

const EnumNames<LearningRateKind> kSchedules = {{LearningRateKind::constant, "constant"},
                                                {LearningRateKind::cosine, "cosine"},
                                                {LearningRateKind::step, "step"},
                                                {LearningRateKind::poly, "poly"}};

double without_warm_up(const LearningRateSchedule& schedule, double base_lr, int64_t step) {
    const auto share = [&] { return static_cast<double>(step) / static_cast<double>(schedule.t_max); };
    switch (schedule.kind) {
        case LearningRateKind::constant:
            return base_lr;
        case LearningRateKind::cosine: {
            const double phase =
                std::numbers::pi * static_cast<double>(step) / static_cast<double>(schedule.t_max);
            return schedule.min_lr + (base_lr - schedule.min_lr) * (1.0 + std::cos(phase)) / 2.0;
        }
        case LearningRateKind::step:
            return base_lr * std::pow(schedule.gamma, static_cast<double>(step / schedule.step_size));
        case LearningRateKind::poly:
            return base_lr * std::pow(1.0 - std::min(1.0, share()), schedule.power);
    }
    throw Error("schedule: unknown kind");
}

}  // namespace

LearningRateSchedule read_learning_rate_schedule(JsonReader reader) {
    LearningRateSchedule config;
    config.kind = reader.choice("kind", LearningRateKind::constant, kSchedules);
    config.every = reader.integer("every", config.every, 1, kManySteps);
    config.warm_up = reader.integer("warm_up", 0, 0, kManySteps);
    if (config.warm_up == 0) reader.leave_out("warm_up");
    if (config.kind == LearningRateKind::cosine || config.kind == LearningRateKind::poly) {
        reader.require<int64_t>("t_max");
        config.t_max = reader.integer("t_max", config.t_max, 1, kManySteps);
    }
    if (config.kind == LearningRateKind::cosine) {
        config.min_lr = reader.number("min_lr", config.min_lr, 0.0, kAnyRate);
    } else if (config.kind == LearningRateKind::poly) {
        config.power = reader.number("power", config.power, 0.0, kAnyRate);
    } else if (config.kind == LearningRateKind::step) {
        reader.require<int64_t>("step_size");
        config.step_size = reader.integer("step_size", config.step_size, 1, kManySteps);
        config.gamma = reader.number("gamma", config.gamma, 0.0, kAnyRate);
    }
    reader.finish();
    return config;
}

double learning_rate(const LearningRateSchedule& schedule, double base_lr, int64_t iteration) {
    const double rate = without_warm_up(schedule, base_lr, iteration / schedule.every);
    if (iteration >= schedule.warm_up) return rate;
    return rate * static_cast<double>(iteration + 1) / static_cast<double>(schedule.warm_up);
}

LearningRateSchedule stretched(LearningRateSchedule schedule, double factor) {
    const auto times = [factor](int64_t number) {
        return static_cast<int64_t>(static_cast<double>(number) * factor);
    };
    // Long steps are stretched themselves, so that their number stays whole.
    if (schedule.every > 1) {
        schedule.every = std::max<int64_t>(1, times(schedule.every));
    } else {
        schedule.t_max = std::max<int64_t>(1, times(schedule.t_max));
        schedule.step_size = std::max<int64_t>(1, times(schedule.step_size));
    }
    schedule.warm_up = times(schedule.warm_up);
    return schedule;
}

}  // namespace mtlprune
