// Which tensors of a group say how important its channels are.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// A member that counts, and how often: index i of dimension 1 of a grouped convolution's weight stands for
/// position i of every one of its groups.
struct ScoredMember {
    const Member* member;
    int64_t multiplicity;
};

/// The rule of Torch-Pruning 1.6 (GroupMagnitudeImportance): weights of convolutions and linear layers
/// (matrix products), on the side that produces the channels and on the side that reads them, and weights of
/// batch and layer norms. Biases, depthwise convolutions, group and instance norms, embeddings, multi-head
/// attention modules (their packed projections) and other parameters leave with the channels but are not
/// asked.
class ScoredMembers {
  public:
    explicit ScoredMembers(const TracedGraph& graph);

    /// In the order of the group's members. A group of which nothing is asked by the rule is represented by
    /// all its parameters.
    std::vector<ScoredMember> of(const Group& group) const;
    /// Weights of convolutions and linear layers alone; may be empty.
    std::vector<ScoredMember> layers_of(const Group& group) const;
    /// Scales (gamma) of batch norms alone; may be empty.
    std::vector<ScoredMember> batch_norms_of(const Group& group) const;
    /// Positions of the first producer's output that one channel stands for: g when it feeds a convolution
    /// with g groups, 1 in a plain chain.
    int64_t positions_per_channel(const Group& group) const;

  private:
    bool is_layer_weight(const Member& member) const;
    int64_t multiplicity(const Member& member) const;

    std::unordered_map<std::string, int64_t> convolution_groups_;  ///< by the name of the weight
    std::unordered_set<std::string> vectors_;                      ///< parameters of rank 1 or less
    std::unordered_set<std::string> attention_;                    ///< projections inside attention modules
};

}  // namespace mtlprune
