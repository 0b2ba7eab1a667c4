// Passes over a mini-batch that a criterion runs itself.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mtlprune {

/// Parameters and buffers by name.
using StoredTensors = std::unordered_map<std::string, torch::Tensor>;

/// Samples [begin, end) of a mini-batch.
struct SampleRange {
    int64_t begin, end;
    int64_t count() const { return end - begin; }
};

/// The losses of one mini-batch, one scalar per task, of the network as it is when called.
using BatchLosses = std::function<std::vector<torch::Tensor>()>;

/// One mini-batch and the network that it is for, as whoever owns both runs them. Graphs are recorded as
/// LibTorch's grad mode says.
struct Passes {
    Passes() = default;
    /// Losses of the whole mini-batch alone: enough for criteria that need gradients.
    Passes(BatchLosses all) : batch_losses(std::move(all)) {}  // NOLINT(google-explicit-constructor)

    BatchLosses batch_losses;
    int64_t samples = 0;
    /// The mini-batch's first input [B,...].
    torch::Tensor input;
    /// Outputs of the network for a first input of any number of rows.
    std::function<std::vector<torch::Tensor>(const torch::Tensor& input)> outputs;
    /// Losses, one scalar per task, of means over these samples.
    std::function<std::vector<torch::Tensor>(SampleRange rows)> losses;
    /// The same with labels of classes drawn from the network's own predictions; others as given.
    std::function<std::vector<torch::Tensor>(SampleRange rows, uint64_t key)> drawn_losses;
    /// The network in training or eval mode until what it returns is gone, which gives modes and buffers
    /// (running statistics) back. Null where the network has no modes.
    std::function<std::shared_ptr<void>(bool training)> in_mode;
};

}  // namespace mtlprune
