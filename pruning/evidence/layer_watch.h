// What the layers of a network read and give while it runs.
#pragma once

#include <functional>

#include "pruning/evidence/evidence.h"

namespace mtlprune {

/// One call of a convolution or linear layer whose weight belongs to an asked group, or to several.
struct LayerCall {
    const Operator* op = nullptr;
    std::string weight;                  ///< its name
    torch::Tensor input, output;         ///< [B,I,...] and [B,O,...]; of linear layers [...,I] and [...,O]
    std::vector<c10::IValue> arguments;  ///< all of the operator, in order
    /// An asked group (its place in Evidence::asked()) that the weight belongs to, as it reads or produces.
    struct Use {
        size_t asked;
        const Member* member;
    };
    std::vector<Use> uses;
};

/// Runs `pass` and shows every such call as soon as it is done, in order of execution. Nested or repeated
/// calls of one weight are shown each. What `visit` throws is thrown when the pass is over. Convolutions run
/// with LibTorch's kernels.
void watch_layers(const Evidence& evidence, const std::function<void()>& pass,
                  const std::function<void(const LayerCall&)>& visit);

/// The channels of a group in what a layer reads, [B,C,P]: P positions, those that a channel stands for after
/// a flatten among them. Of grouped convolutions the channels of the first group of the convolution that
/// reads them.
torch::Tensor channels_read(const LayerCall& call, const Member& member);
/// The same of what a layer gives.
torch::Tensor channels_given(const LayerCall& call, const Member& member);

}  // namespace mtlprune
