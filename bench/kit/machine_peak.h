// What this machine can do at most: the roof that results are held against.
#pragma once

#include <cstdint>

namespace mtlprune {

/// Best of several runs, with LibTorch's threads of this moment.
struct MachinePeak {
    double gemm = 0;         ///< FLOP/s of a product of two float32 matrices of 2048x2048
    double convolution = 0;  ///< FLOP/s of a 3x3 convolution of 256 channels on maps of 80x80
    double copy = 0;         ///< bytes read and written per second in a copy of 256 MiB

    double flops() const { return gemm > convolution ? gemm : convolution; }
};

/// Takes about `seconds` for each of the three.
MachinePeak measure_machine_peak(double seconds = 1);

}  // namespace mtlprune
