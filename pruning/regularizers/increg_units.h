// Units and schedule of incremental regularisation (Wang et al., IJCNN 2019; Caffe_IncReg).
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

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

/// The units of one group; tensors [C] on the CPU.
struct IncRegUnits {
    torch::Tensor lambda;     ///< penalties, float64, never negative
    torch::Tensor mean_rank;  ///< over all updates, float64
    torch::Tensor pruned;     ///< bool
    torch::Tensor zeroed;     ///< bool: those whose weights are zero
    int64_t wanted = -1;      ///< how many are to be pruned until the next event; -1: not known yet
    int64_t updates = 0;

    void begin(int64_t channels);
    /// By these scores (float64 [C]) ranks change, then penalties; those that reach the target are pruned.
    void update(const torch::Tensor& scores, const IncRegCurve& curve, double target);
    /// By mean rank, the pruned first: float64 [C].
    torch::Tensor ranks() const;
    void select(const torch::Tensor& kept);

    /// Entries "<name>.<number>".
    void save(std::map<std::string, torch::Tensor>& state, size_t number) const;
    /// False where there are none of this number.
    bool load(const std::map<std::string, torch::Tensor>& state, size_t number);
};

}  // namespace mtlprune
