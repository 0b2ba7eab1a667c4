// A slow-down of known size, for programs that measure slow-downs.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"

namespace mtlprune {

inline constexpr const char* kPlantVariable = "MTLPRUNE_BENCH_PLANT";

/// MTLPRUNE_BENCH_PLANT: the share of each iteration's time that is added to it, 0 if not set. Throws Error
/// unless it is a number from 0 to 10.
inline double planted_share() {
    const char* text = std::getenv(kPlantVariable);
    if (text == nullptr) return 0;
    char* end = nullptr;
    const double share = std::strtod(text, &end);
    if (end == text || *end != '\0' || !(share >= 0 && share <= 10))
        throw Error("environment", kPlantVariable, "a number from 0 to 10", std::string("'") + text + "'");
    return share;
}

/// `for (auto _ : planted(state))` in place of `for (auto _ : state)`: after every iteration it computes for
/// that share of the time that the iteration took, on the iterating thread, so that both real and processor
/// time grow. What one iteration overdoes the next one makes up for. Two readings of the clock per iteration
/// come on top, and only when something is planted; iterations should take 10 us or more, and not pause.
class PlantedLoop {
  public:
    explicit PlantedLoop(benchmark::State& state) : state_(state), share_(planted_share()) {}

    class Iterator {
      public:
        Iterator(benchmark::State::StateIterator inner, double share) : inner_(inner), share_(share) {}
        auto operator*() const { return *inner_; }
        bool operator!=(const Iterator& other) {
            const bool more = inner_ != other.inner_;
            if (share_ > 0) start_ = Clock::now();
            return more;
        }
        Iterator& operator++() {
            if (share_ > 0) spin();
            ++inner_;
            return *this;
        }

      private:
        using Clock = std::chrono::steady_clock;
        using Seconds = std::chrono::duration<double>;

        void spin() {
            const auto from = Clock::now();
            owed_ += share_ * Seconds(from - start_).count();
            double spent = 0;
            while (spent < owed_) {
                for (int i = 0; i < 32; ++i)
                    benchmark::DoNotOptimize(state_ =
                                                 6364136223846793005ULL * state_ + 1442695040888963407ULL);
                spent = Seconds(Clock::now() - from).count();
            }
            owed_ -= spent;
        }

        benchmark::State::StateIterator inner_;
        double share_;
        double owed_ = 0;  ///< seconds
        uint64_t state_ = 1;
        Clock::time_point start_;
    };

    Iterator begin() { return {state_.begin(), share_}; }
    Iterator end() { return {state_.end(), share_}; }

  private:
    benchmark::State& state_;
    double share_;
};

inline PlantedLoop planted(benchmark::State& state) {
    return PlantedLoop(state);
}

}  // namespace mtlprune
