// Run times with the noise of shared machines, for simulated gates.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "base/random.h"

namespace mtlprune::bench {

/// How a program's runs vary, all relative.
struct Noise {
    double white = 0;     ///< standard deviation of every run by itself
    double drift = 0;     ///< amplitude of a slow wave over `period` runs
    double period = 200;  ///< runs
    double related = 0;   ///< standard deviation of a first-order autoregression
    double memory = 0.9;  ///< its coefficient from one run to the next
    double mode = 0;      ///< how much slower the second state of a program is (where its memory lies, say)
    double mode_share = 0.3;  ///< of the runs
    double burst = 0;         ///< mean of what a neighbour adds
    double burst_share = 0;   ///< of the runs
};

/// Logarithms of run times one after the other, as a machine shows them to whatever runs next.
class NoisyMachine {
  public:
    NoisyMachine(const Noise& noise, uint64_t seed, uint64_t benchmark)
        : noise_(noise), random_(seed, Stream::method, benchmark), phase_(random_.uniform()) {}

    double next_run() {
        const double angle = 2 * std::numbers::pi * (static_cast<double>(runs_++) / noise_.period + phase_);
        state_ = noise_.memory * state_ + std::sqrt(1 - noise_.memory * noise_.memory) * random_.normal();
        double value =
            noise_.white * random_.normal() + noise_.drift * std::sin(angle) + noise_.related * state_;
        if (random_.uniform() < noise_.mode_share) value += noise_.mode;
        if (random_.uniform() < noise_.burst_share) value -= noise_.burst * std::log(1 - random_.uniform());
        return value;
    }
    /// log(new / base) of a round whose order is drawn.
    double round(double slower) {
        const bool swapped = random_.below(2) == 1;
        const double first = next_run(), second = next_run();
        return std::log1p(slower) + (swapped ? first - second : second - first);
    }

  private:
    Noise noise_;
    Random random_;
    double phase_;
    double state_ = 0;
    int64_t runs_ = 0;
};

}  // namespace mtlprune::bench
