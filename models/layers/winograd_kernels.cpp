#include "models/layers/winograd_kernels.h"

#include <algorithm>
#include <array>
#include <utility>

// Vectors must not cross a call: their ABI depends on the instruction set.
#define MTLPRUNE_INLINE inline __attribute__((always_inline))

namespace mtlprune::winograd {
namespace {

template <int Lanes>
struct Simd {
    typedef float Vector __attribute__((vector_size(Lanes * sizeof(float))));
    struct __attribute__((packed, may_alias)) Memory {  // needs no alignment
        Vector value;
    };
};

template <int Lanes>
using Vector = typename Simd<Lanes>::Vector;

template <int Lanes>
MTLPRUNE_INLINE const typename Simd<Lanes>::Memory& at(const float* address) {
    return *reinterpret_cast<const typename Simd<Lanes>::Memory*>(address);
}

template <int Lanes>
MTLPRUNE_INLINE typename Simd<Lanes>::Memory& at(float* address) {
    return *reinterpret_cast<typename Simd<Lanes>::Memory*>(address);
}

// The filter of Toom and Cook with the points 0, a, -a, b, -b and infinity, where a * b = 1 keeps most
// factors simple and 1/sqrt(2), sqrt(2) lose four times less precision than the usual 1 and 2.
constexpr float kA = 0.70710678F, kB = 1.41421356F, kA2 = 0.5F, kB2 = 2.0F;
/// What the weights are divided by at a and b: the product of the distances to the other finite points.
constexpr float kNormA = -1.5F, kNormB = 6.0F;

/// Values at a, -a, b and -b from the even and odd parts of a polynomial.
template <class V>
MTLPRUNE_INLINE void at_points(const V& even_a, const V& odd_a, const V& even_b, const V& odd_b, V* out,
                               int pitch) {
    out[pitch] = even_a + odd_a;
    out[2 * pitch] = even_a - odd_a;
    out[3 * pitch] = even_b + odd_b;
    out[4 * pitch] = even_b - odd_b;
}

/// The one-dimensional transforms; the elements of `in` and `out` are `in_pitch` and `pitch` apart.
struct DataStep {
    static constexpr int kIn = kInputs, kOut = kInputs;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V d0 = in[0], d1 = in[in_pitch], d2 = in[2 * in_pitch], d3 = in[3 * in_pitch],
                d4 = in[4 * in_pitch], d5 = in[5 * in_pitch];
        const V even_a = d4 - kB2 * d2, odd_a = kA * (d3 - kB2 * d1);
        const V even_b = d4 - kA2 * d2, odd_b = kB * (d3 - kA2 * d1);
        out[0] = d0 - (kA2 + kB2) * d2 + d4;
        at_points(even_a, odd_a, even_b, odd_b, out, pitch);
        out[5 * pitch] = d1 - (kA2 + kB2) * d3 + d5;
    }
};

struct GradientStep {
    static constexpr int kIn = kOutputs, kOut = kInputs;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V y0 = in[0], y1 = in[in_pitch], y2 = in[2 * in_pitch], y3 = in[3 * in_pitch];
        const V even_a = y0 + kA2 * y2, odd_a = kA * (y1 + kA2 * y3);
        const V even_b = y0 + kB2 * y2, odd_b = kB * (y1 + kB2 * y3);
        out[0] = y0;
        at_points(even_a, odd_a, even_b, odd_b, out, pitch);
        out[5 * pitch] = y3;
    }
};

struct OutputStep {
    static constexpr int kIn = kInputs, kOut = kOutputs;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V sum_a = in[in_pitch] + in[2 * in_pitch], sum_b = in[3 * in_pitch] + in[4 * in_pitch];
        const V odd_a = kA * (in[in_pitch] - in[2 * in_pitch]);
        const V odd_b = kB * (in[3 * in_pitch] - in[4 * in_pitch]);
        out[0] = in[0] + sum_a + sum_b;
        out[pitch] = odd_a + odd_b;
        out[2 * pitch] = kA2 * sum_a + kB2 * sum_b;
        out[3 * pitch] = kA2 * odd_a + kB2 * odd_b + in[5 * in_pitch];
    }
};

struct WeightStep {
    static constexpr int kIn = 3, kOut = kInputs;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V g0 = in[0], g1 = in[in_pitch], g2 = in[2 * in_pitch];
        const V even_a = (g0 + kA2 * g2) * (1 / kNormA), odd_a = g1 * (kA / kNormA);
        const V even_b = (g0 + kB2 * g2) * (1 / kNormB), odd_b = g1 * (kB / kNormB);
        out[0] = g0;
        at_points(even_a, odd_a, even_b, odd_b, out, pitch);
        out[5 * pitch] = g2;
    }
};

struct WeightGradientStep {
    static constexpr int kIn = kInputs, kOut = 3;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V even_a = (in[in_pitch] + in[2 * in_pitch]) * (1 / kNormA);
        const V even_b = (in[3 * in_pitch] + in[4 * in_pitch]) * (1 / kNormB);
        const V odd_a = (in[in_pitch] - in[2 * in_pitch]) * (kA / kNormA);
        const V odd_b = (in[3 * in_pitch] - in[4 * in_pitch]) * (kB / kNormB);
        out[0] = in[0] + even_a + even_b;
        out[pitch] = odd_a + odd_b;
        out[2 * pitch] = kA2 * even_a + kB2 * even_b + in[5 * in_pitch];
    }
};

template <class Step, class V>
MTLPRUNE_INLINE void transform(const V* in, V* out) {
    V half[Step::kOut * Step::kIn];
#pragma GCC unroll 6
    for (int i = 0; i < Step::kIn; ++i) Step::run(in + i, Step::kIn, half + i, Step::kIn);
#pragma GCC unroll 6
    for (int i = 0; i < Step::kOut; ++i) Step::run(half + i * Step::kIn, 1, out + i * Step::kOut, 1);
}

/// Reads element i of lane j with `load(i, j)` and hands it on with `store(i, j, value)`.
template <class Step, int Lanes, class Load, class Store>
MTLPRUNE_INLINE void transform_panel(const Load& load, const Store& store) {
    constexpr int kIn = Step::kIn * Step::kIn, kOut = Step::kOut * Step::kOut;
    for (int64_t lane = 0; lane < kPanel; lane += Lanes) {
        Vector<Lanes> in[kIn], out[kOut];
#pragma GCC unroll 36
        for (int i = 0; i < kIn; ++i) in[i] = at<Lanes>(load(i) + lane).value;
        transform<Step>(in, out);
#pragma GCC unroll 36
        for (int i = 0; i < kOut; ++i) at<Lanes>(store(i) + lane).value = out[i];
    }
}

template <class Step>
struct Scatter {
    template <int Lanes>
    static MTLPRUNE_INLINE void run(const float* const* source, float* target, int64_t plane) {
        transform_panel<Step, Lanes>([&](int i) { return source[i]; },
                                     [&](int i) { return target + i * plane; });
    }
};

struct Weight {
    template <int Lanes>
    static MTLPRUNE_INLINE void run(const float* source, float* target, int64_t plane) {
        transform_panel<WeightStep, Lanes>([&](int i) { return source + i * kPanel; },
                                           [&](int i) { return target + i * plane; });
    }
};

struct WeightGradient {
    template <int Lanes>
    static MTLPRUNE_INLINE void run(const float* source, int64_t plane, float* target) {
        transform_panel<WeightGradientStep, Lanes>([&](int i) { return source + i * plane; },
                                                   [&](int i) { return target + i * kPanel; });
    }
};

struct Output {
    template <int Lanes>
    static MTLPRUNE_INLINE void run(const float* source, int64_t plane, const float* bias,
                                    float* const* target) {
        constexpr int kIn = kFrequencies, kOut = kOutputs * kOutputs;
        for (int64_t lane = 0; lane < kPanel; lane += Lanes) {
            Vector<Lanes> in[kIn], out[kOut];
#pragma GCC unroll 36
            for (int i = 0; i < kIn; ++i) in[i] = at<Lanes>(source + i * plane + lane).value;
            transform<OutputStep>(in, out);
            const Vector<Lanes> offset = at<Lanes>(bias + lane).value;
#pragma GCC unroll 16
            for (int i = 0; i < kOut; ++i) at<Lanes>(target[i] + lane).value = out[i] + offset;
        }
    }
};

/// Rows x (Vectors * Lanes) sums stay in registers.
template <int Lanes, int Rows, int Vectors>
MTLPRUNE_INLINE void block(const Product& p, int64_t row, int64_t column) {
    float* c = p.c + row * kPanel + column;
    Vector<Lanes> sum[Rows][Vectors];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Vectors; ++j) sum[i][j] = Vector<Lanes>{};
    const float* b = p.b + column;
    const float* beginning = p.a + row * p.row_stride;
    for (int64_t left = p.depth; left > 0; left -= p.run, beginning += p.hop) {
        const float* a = beginning;
        for (int64_t d = std::min(left, p.run); d > 0; --d, a += p.step, b += kPanel) {
            Vector<Lanes> right[Vectors];
#pragma GCC unroll 2
            for (int j = 0; j < Vectors; ++j) right[j] = at<Lanes>(b + j * Lanes).value;
#pragma GCC unroll 16
            for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
                for (int j = 0; j < Vectors; ++j) sum[i][j] += a[i * p.row_stride] * right[j];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Vectors; ++j) {
            auto& target = at<Lanes>(c + i * kPanel + j * Lanes);
            target.value = p.accumulate ? target.value + sum[i][j] : sum[i][j];
        }
}

/// As many rows as leave registers for the operands.
constexpr int max_rows(int lanes) {
    return lanes == 16 ? 14 : 6;
}

template <int Lanes, int Rows>
MTLPRUNE_INLINE void block_row(const Product& p, int64_t row) {
    for (int64_t column = 0; column < p.columns; column += 2 * Lanes) {
        if (p.columns - column > Lanes)
            block<Lanes, Rows, 2>(p, row, column);
        else
            block<Lanes, Rows, 1>(p, row, column);
    }
}

struct Multiply {
    template <int Lanes>
    static MTLPRUNE_INLINE void run(const Product& p) {
        constexpr int kRows = max_rows(Lanes);
        int64_t groups = (p.rows + kRows - 1) / kRows;
        for (int64_t row = 0; groups > 0; --groups) {
            const int64_t rows = (p.rows - row + groups - 1) / groups;
            dispatch<Lanes>(p, row, rows, std::make_integer_sequence<int, kRows>());
            row += rows;
        }
    }

    template <int Lanes, int... Less>
    static MTLPRUNE_INLINE void dispatch(const Product& p, int64_t row, int64_t rows,
                                         std::integer_sequence<int, Less...>) {
        (void)((rows == Less + 1 && (block_row<Lanes, Less + 1>(p, row), true)) || ...);
    }
};

template <class Operation, class... Arguments>
void portable(Arguments... arguments) {
    Operation::template run<4>(arguments...);
}

#if defined(__x86_64__)
template <class Operation, class... Arguments>
__attribute__((target("avx512f"))) void avx512(Arguments... arguments) {
    Operation::template run<16>(arguments...);
}

template <class Operation, class... Arguments>
__attribute__((target("avx2,fma"))) void avx2(Arguments... arguments) {
    Operation::template run<8>(arguments...);
}
#endif

// NOLINTBEGIN(bugprone-macro-parentheses): the argument names a template
#define MTLPRUNE_KERNELS(set)                                                                        \
    {                                                                                                \
        set<Multiply>, set<Scatter<DataStep>>, set<Scatter<GradientStep>>, set<Output>, set<Weight>, \
            set<WeightGradient>                                                                      \
    }
// NOLINTEND(bugprone-macro-parentheses)

Kernels select() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return MTLPRUNE_KERNELS(avx512);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return MTLPRUNE_KERNELS(avx2);
#endif
    return MTLPRUNE_KERNELS(portable);
}

}  // namespace

const Kernels& kernels() {
    static const Kernels selected = select();
    return selected;
}

}  // namespace mtlprune::winograd
