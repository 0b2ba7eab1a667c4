// Channels that must leave a network together.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pruning/graph/traced_graph.h"

namespace mtlprune {

/// What a tensor's dimension is for the channels of a group.
enum class Role {
    output,      ///< produces them: dim 0 of a convolution's or linear layer's weight, and its bias
    input,       ///< reads them: dim 1 of a consumer's weight
    channelwise  ///< transforms each of them alone: BatchNorm, depthwise convolution, scale
};

/// The slices of one dimension of one stored tensor that belong to a group.
struct Member {
    std::string tensor;  ///< name as in named_parameters() or named_buffers()
    int64_t dim;
    Role role;
    bool is_buffer;
    int64_t per_channel;           ///< indices of each channel; more than one after a flatten, say
    std::vector<int64_t> indices;  ///< per_channel indices of channel 0, then of channel 1, ...
    std::string op;                ///< the operator that gave it its role, e.g. "aten::batch_norm"; or empty
    int64_t argument = -1;         ///< which argument of `op` it is, counted from 0; -1 when derived from one

    std::span<const int64_t> channel(int64_t c) const {
        return {indices.data() + c * per_channel, static_cast<size_t>(per_channel)};
    }
};

struct Group {
    std::string name;  ///< module of the first producer, e.g. "backbone.conv3"; "#2" ... make it unique
    int64_t channels;  ///< how many there are now
    std::vector<Member> members;  ///< producers first, then in order of execution
    std::vector<size_t> outputs;  ///< numbers of the network's outputs that depend on it, ascending
    bool frozen;                  ///< no channel may leave
    std::string reason;           ///< why, when frozen
    /// A normalisation computes its statistics over these channels: without some of them the others change.
    bool cross_channel = false;
};

/// Size of one axis as a function of how many channels each group keeps: fixed + sum of kept[group] * count /
/// channels.
struct AxisSize {
    struct Term {
        size_t group;
        int64_t count;     ///< indices of the axis that belonged to the group when it was traced
        int64_t channels;  ///< channels of the group then
    };
    int64_t fixed = 0;
    std::vector<Term> terms;
    int64_t at(const std::vector<int64_t>& kept) const;
};

/// Which channel every index of an axis belongs to: the index of Coupling::channels, or -1 when it stays.
using AxisChannels = std::shared_ptr<const std::vector<int64_t>>;

/// A dimension of a stored tensor that cannot lose all of its indices freely, and why.
struct FrozenDimension {
    std::string tensor;
    int64_t dim;
    int64_t count;  ///< how many of its indices cannot leave
    std::string reason;
};

struct ScriptTrace;

struct Coupling {
    TracedGraph graph;
    std::vector<Group> groups;  ///< in order of execution of their first producers; frozen ones too
    std::vector<std::vector<AxisSize>>
        sizes;  ///< per value of the graph, per axis; empty for what is no tensor
    std::vector<std::pair<size_t, int64_t>>
        channels;                                 ///< all channels of all groups: (group, number within it)
    std::vector<std::vector<AxisChannels>> axes;  ///< per value, per axis; null when nothing of it can leave
    std::vector<FrozenDimension> frozen;
    std::vector<std::string> notes;       ///< options that had no effect
    std::shared_ptr<ScriptTrace> script;  ///< of a TorchScript network: what surgery edits
};

/// An attention module whose embedding and heads must shrink together: the common prefix of its tensors'
/// names
/// ("block.mha." or "") and its number of heads.
struct AttentionModule {
    std::string prefix;
    int64_t heads;
};

struct CouplingOptions {
    /// Outputs whose channels may leave; all others are frozen.
    std::vector<size_t> shrinkable_outputs;
    /// Attention loses whole heads instead of the same channels of every head.
    bool whole_heads = false;
    /// Attention modules of LibTorch: they derive the width of a head from the embedding. Found by themselves
    /// when a C++ module is coupled.
    std::vector<AttentionModule> attention;
};

/// Traces `forward` on `inputs` and finds all groups. Deterministic. Time is near-linear in operators and
/// channels.
Coupling couple(torch::nn::Module& module, const TracedFunction& forward, std::vector<torch::Tensor> inputs,
                const CouplingOptions& options = {});
Coupling couple(TracedGraph graph, const CouplingOptions& options = {});

/// Channels of every group, in order.
std::vector<int64_t> channel_counts(const std::vector<Group>& groups);

/// Numbers of the groups that are not frozen and whose whole name matches the regular expression
/// (ECMAScript). Throws Error when the expression is wrong or nothing matches.
std::vector<size_t> select_groups(const std::vector<Group>& groups, const std::string& pattern);

}  // namespace mtlprune
