// Losses of candidate networks without surgery: what a mask would set to zero is zero for a while.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pruning/evidence/passes.h"
#include "pruning/surgery/surgery.h"

namespace mtlprune {

/// The network is in eval mode until this is gone, which gives modes and weights back, bit for bit. A
/// candidate changes what tells it from the one before, and no other weight is copied.
class CandidateLosses {
  public:
    /// `groups` (those of the network as it is), the tensors and what the passes hold must outlive it.
    /// Throws Error when there is no mini-batch.
    CandidateLosses(const std::vector<Group>& groups, NamedTensors tensors, std::vector<Passes> batches);
    ~CandidateLosses();
    CandidateLosses(const CandidateLosses&) = delete;
    CandidateLosses& operator=(const CandidateLosses&) = delete;

    /// Per task, the mean over all samples without the channels removed[g] (any order) of group g.
    std::vector<double> without(const std::vector<std::vector<int64_t>>& removed);

  private:
    struct Saved {
        torch::Tensor tensor, indices, values;
        int64_t dim;
    };
    /// Channels of a group that were set to zero at once.
    struct Zeroed {
        size_t group;
        std::vector<int64_t> channels;
        std::vector<Saved> slices;
    };
    void zero(size_t group, const std::vector<int64_t>& channels);
    void restore_last();
    std::vector<double> losses() const;

    const std::vector<Group>& groups_;
    NamedTensors tensors_;
    std::set<std::string> buffers_;
    std::vector<Passes> batches_;
    std::shared_ptr<void> mode_;
    std::vector<Zeroed> zeroed_;  ///< oldest first: slices overlap, so that the last must be restored first
};

}  // namespace mtlprune
