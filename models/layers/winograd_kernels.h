// The inner loops of models/layers/conv_winograd.h, on groups of 32 channels, for the processor at hand.
#pragma once

#include <cstdint>

namespace mtlprune::winograd {

constexpr int64_t kPanel = 32;                       ///< channels that lie side by side
constexpr int64_t kOutputs = 4, kInputs = 6;         ///< positions along one side of a tile
constexpr int64_t kFrequencies = kInputs * kInputs;  ///< values of a transformed tile, row-major

/// c[i][j] (+)= sum over `depth` of a[i][d] b[d][j]; rows of b and c are a panel long. The row i of a begins
/// at a + i * row_stride; its values are `step` apart in runs of `run`, whose beginnings are `hop` apart.
struct Product {
    const float* a;
    int64_t row_stride, step, run, hop;
    const float* b;
    float* c;
    int64_t rows, columns, depth;
    bool accumulate;
};

/// Transforms of one tile for one panel of channels. In the transformed domain the frequencies are `plane`
/// apart.
struct Kernels {
    void (*product)(const Product& product);
    /// B^T d B of the 6x6 positions whose channels `source` points at.
    void (*data)(const float* const* source, float* target, int64_t plane);
    /// A y A^T of the 4x4 positions of an output gradient.
    void (*gradient)(const float* const* source, float* target, int64_t plane);
    /// A^T m A + bias for the 4x4 positions of an output.
    void (*output)(const float* source, int64_t plane, const float* bias, float* const* target);
    /// G g G^T of 3x3 taps [9][32].
    void (*weight)(const float* source, float* target, int64_t plane);
    /// G^T u G: taps [9][32].
    void (*weight_gradient)(const float* source, int64_t plane, float* target);
};

/// Each value is computed in the same order whichever rows and panels share a call.
const Kernels& kernels();

}  // namespace mtlprune::winograd
