#include "base/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace mtlprune {
namespace {

uint64_t finalise(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

uint64_t mix_key(uint64_t seed, Stream stream, uint64_t a, uint64_t b) {
    uint64_t key = finalise(seed + kGolden);
    for (const uint64_t part : {static_cast<uint64_t>(stream), a, b}) key = finalise((key ^ part) + kGolden);
    return key;
}

uint64_t Random::bits() {
    return finalise(state_ += kGolden);
}

double Random::uniform() {
    return static_cast<double>(bits() >> 11) * 0x1.0p-53;
}

uint64_t Random::below(uint64_t n) {
    const uint64_t limit = -n % n;  // values under it would make small results more likely
    uint64_t x = bits();
    while (x < limit) x = bits();
    return x % n;
}

double Random::normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::vector<int64_t> permutation(int64_t n, Random random) {
    std::vector<int64_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    return order;
}

}  // namespace mtlprune
