#include "models/winograd_kernels.h"

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

/// The one-dimensional transforms; `in` and `out` are arrays whose elements are `pitch` apart.
struct DataStep {
    static constexpr int kIn = 4, kOut = 4;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        out[0] = in[0] - in[2 * in_pitch];
        out[pitch] = in[in_pitch] + in[2 * in_pitch];
        out[2 * pitch] = in[2 * in_pitch] - in[in_pitch];
        out[3 * pitch] = in[in_pitch] - in[3 * in_pitch];
    }
};

struct GradientStep {
    static constexpr int kIn = 2, kOut = 4;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        out[0] = in[0];
        out[pitch] = in[0] + in[in_pitch];
        out[2 * pitch] = in[0] - in[in_pitch];
        out[3 * pitch] = -in[in_pitch];
    }
};

struct OutputStep {
    static constexpr int kIn = 4, kOut = 2;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        out[0] = in[0] + in[in_pitch] + in[2 * in_pitch];
        out[pitch] = in[in_pitch] - in[2 * in_pitch] - in[3 * in_pitch];
    }
};

struct WeightStep {
    static constexpr int kIn = 3, kOut = 4;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V even = (in[0] + in[2 * in_pitch]) * 0.5F, odd = in[in_pitch] * 0.5F;
        out[0] = in[0];
        out[pitch] = even + odd;
        out[2 * pitch] = even - odd;
        out[3 * pitch] = in[2 * in_pitch];
    }
};

struct WeightGradientStep {
    static constexpr int kIn = 4, kOut = 3;
    template <class V>
    static MTLPRUNE_INLINE void run(const V* in, int in_pitch, V* out, int pitch) {
        const V even = (in[in_pitch] + in[2 * in_pitch]) * 0.5F;
        out[0] = in[0] + even;
        out[pitch] = (in[in_pitch] - in[2 * in_pitch]) * 0.5F;
        out[2 * pitch] = even + in[3 * in_pitch];
    }
};

template <class Step, class V>
MTLPRUNE_INLINE void transform(const V* in, V* out) {
    V half[Step::kOut * Step::kIn];
#pragma GCC unroll 4
    for (int i = 0; i < Step::kIn; ++i) Step::run(in + i, Step::kIn, half + i, Step::kIn);
#pragma GCC unroll 4
    for (int i = 0; i < Step::kOut; ++i) Step::run(half + i * Step::kIn, 1, out + i * Step::kOut, 1);
}

/// Reads element i of lane j with `load(i, j)` and hands it on with `store(i, j, value)`.
template <class Step, int Lanes, class Load, class Store>
MTLPRUNE_INLINE void transform_panel(const Load& load, const Store& store) {
    constexpr int kIn = Step::kIn * Step::kIn, kOut = Step::kOut * Step::kOut;
    for (int64_t lane = 0; lane < kPanel; lane += Lanes) {
        Vector<Lanes> in[kIn], out[kOut];
#pragma GCC unroll 16
        for (int i = 0; i < kIn; ++i) in[i] = at<Lanes>(load(i) + lane).value;
        transform<Step>(in, out);
#pragma GCC unroll 16
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
        for (int64_t lane = 0; lane < kPanel; lane += Lanes) {
            Vector<Lanes> in[16], out[4];
#pragma GCC unroll 16
            for (int i = 0; i < 16; ++i) in[i] = at<Lanes>(source + i * plane + lane).value;
            transform<OutputStep>(in, out);
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i)
                at<Lanes>(target[i] + lane).value = out[i] + at<Lanes>(bias + lane).value;
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

#define MTLPRUNE_KERNELS(set)                                                                        \
    {                                                                                                \
        set<Multiply>, set<Scatter<DataStep>>, set<Scatter<GradientStep>>, set<Output>, set<Weight>, \
            set<WeightGradient>                                                                      \
    }

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
