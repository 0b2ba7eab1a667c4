// PFP's sensitivities of groups of channels, gathered over mini-batches.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pruning/criteria/pfp/answer_shares.h"

namespace mtlprune {

/// Layers that share channels are sampled once, from the largest sensitivities and the largest factor that
/// any of them has: upper bounds for each, with which PFP's theorem holds for each. Of a layer that reads
/// several groups each group's part of the answers counts by itself.
struct GroupSensitivity {
    AnswerShares shares;  ///< on the CPU
    double factor = 0;    ///< draw_coefficient of a sum of sensitivities of 1
};

/// The largest since the last event, per asked group.
class GroupSensitivities {
  public:
    /// `patches` of every layer's output are looked at, drawn with `key` and the mini-batch's number; `delta`
    /// is PFP's probability of failure. Throws Error for a group that no layer reads.
    void add(const Evidence& batch, int64_t patches, double delta, uint64_t key);
    bool empty() const { return groups_.empty(); }
    const GroupSensitivity& of(size_t asked) const { return groups_.at(asked); }
    void reset() { groups_.clear(); }
    void save(std::map<std::string, torch::Tensor>& state) const;
    void load(const std::map<std::string, torch::Tensor>& state);

  private:
    std::vector<GroupSensitivity> groups_;
    int64_t batches_ = 0;
};

}  // namespace mtlprune
