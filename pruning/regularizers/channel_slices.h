// The parameters of groups of channels as regularisers read and change them: whole tensors at a time.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pruning/evidence/evidence.h"

namespace mtlprune {

/// Indices of a dimension of a tensor that a mask holds at zero (int64).
using MaskedIndices = std::map<std::pair<std::string, int64_t>, torch::Tensor>;

/// Slices of one parameter, those of channel c being `per_channel` indices of dimension `dim`.
struct ChannelSlices {
    std::string name;         ///< as in named_parameters()
    torch::Tensor parameter;  ///< the network's own
    int64_t dim;
    int64_t per_channel;
    int64_t multiplicity;   ///< of an index, see ScoredMember
    torch::Tensor indices;  ///< int64 [C * per_channel], on the parameter's device
    int64_t present;        ///< indices of the dimension that no mask holds at zero
    int64_t weights;        ///< of one channel, without those that a mask holds at zero

    /// Sums of |w|^p over each channel's weights, p = 1 or 2: float64 [C].
    torch::Tensor sums(int p) const;
    /// One number per channel (floating [C]) in a shape that broadcasts over the parameter; elsewhere 0.
    torch::Tensor spread(const torch::Tensor& values) const;
    /// Indices of these channels (int64, ascending): int64 [n * per_channel].
    torch::Tensor indices_of(const torch::Tensor& channels) const;
    /// [C, n], masked weights too, of a tensor of the parameter's shape, and back.
    torch::Tensor rows(const torch::Tensor& tensor) const;
    void set_rows(const torch::Tensor& rows) const;

    /// Adds factors[c] * w, the gradient of factors[c] / 2 * ||w||^2, to .grad, which becomes another tensor:
    /// the evidence of a mini-batch holds the one that was there.
    void add_decay(const torch::Tensor& factors) const;
    /// Sets the gradients of these channels to 0.
    void clear_gradient(const torch::Tensor& channels) const;
};

/// What belongs to a group that may shrink. Frozen parameters (without gradients) are left out.
struct RegularizedGroup {
    std::string name;
    int64_t channels;
    std::vector<ChannelSlices> filters;  ///< weights of layers that produce the channels
    std::vector<ChannelSlices> readers;  ///< weights of layers that read them
    std::vector<ChannelSlices> norms;    ///< scales of batch norms
    std::vector<ChannelSlices> own;      ///< without these there is no channel: all but readers, biases too
    std::vector<ChannelSlices> scored;   ///< what criteria of weights score, see ScoredMembers::of()

    /// Filters, readers and norms.
    std::vector<const ChannelSlices*> penalised() const;
    /// Sum of the squared weights that are penalised: float64 [C].
    torch::Tensor squares() const;
    /// The group's importance by squared weights, at most 1: float64 [C].
    torch::Tensor importance() const;
    /// Mean |w| of each channel's filters (of what it has, where no layer produces it): float64 [C].
    torch::Tensor magnitude() const;
};

/// The groups that the evidence asks about, in its order.
std::vector<RegularizedGroup> regularized_groups(const Evidence& evidence, const MaskedIndices& masked = {});

/// The same tensors in the memory of the CPU, in one transfer.
std::vector<torch::Tensor> on_host(const std::vector<torch::Tensor>& tensors);

}  // namespace mtlprune
