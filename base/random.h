// Counter-based random numbers: what is drawn depends only on the seed, the stream and the position, never on
// threads, order of calls elsewhere, or resumption. LibTorch's global generator is never used.
#pragma once

#include <cstdint>
#include <vector>

namespace mtlprune {

/// The five named streams of a run; each is independent of the others.
enum class Stream : uint64_t { init = 1, order, augmentation, calibration, method };

/// Mixes integers into one well distributed 64-bit key (SplitMix64 finaliser, chained).
uint64_t mix_key(uint64_t seed, Stream stream, uint64_t a = 0, uint64_t b = 0);

/// A small generator (SplitMix64, Steele et al. 2014). Cheap to construct: make one per sample, per layer,
/// per step.
class Random {
  public:
    explicit Random(uint64_t key) : state_(key) {}
    Random(uint64_t seed, Stream stream, uint64_t a = 0, uint64_t b = 0)
        : state_(mix_key(seed, stream, a, b)) {}
    uint64_t bits();
    /// Uniform in [0, 1), 53 bits.
    double uniform();
    /// Uniform in [low, high).
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    /// Uniform integer in [0, n), n > 0, unbiased.
    uint64_t below(uint64_t n);
    /// Standard normal (Box-Muller).
    double normal();

  private:
    uint64_t state_;
};

/// A permutation of 0..n-1 (Fisher-Yates).
std::vector<int64_t> permutation(int64_t n, Random random);

}  // namespace mtlprune
