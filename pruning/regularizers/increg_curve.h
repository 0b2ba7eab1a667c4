// The schedule of incremental regularisation (Wang et al., IJCNN 2019; Caffe_IncReg).
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace mtlprune {

struct IncRegCurve {
    int64_t scheme = 2;    ///< 1: of the paper, 2: the released default
    double step = 2.5e-4;  ///< A: growth for the weakest unit
    double u = 0.25;       ///< scheme 1: growth of the middle by that of the weakest
};

/// How much the penalties of units change that were not pruned yet: `ranks` (double [M], 0 is the weakest),
/// of which `missing` (1 to M) are still to be pruned; `progress` in [0, 1] is the share that was.
torch::Tensor increg_change(const torch::Tensor& ranks, int64_t missing, double progress,
                            const IncRegCurve& curve);

}  // namespace mtlprune
