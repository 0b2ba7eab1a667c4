// Turns the joined labels of a trace into groups of channels.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/coupling/labelling.h"

namespace mtlprune {

/// A set of joined labels that some operator produces is a channel; channels with the same number of indices
/// in the same dimensions, frozen for the same reason or free, form a group. Use once.
class GroupBuilder {
  public:
    /// `labelling` is complete: all rules have run.
    explicit GroupBuilder(Labelling& labelling);

    /// Groups in order of execution of their first producers.
    std::vector<Group> groups() const { return groups_; }
    /// Per value of the graph and axis, its size as a function of the channels that groups keep.
    std::vector<std::vector<AxisSize>> sizes() const;

  private:
    using Signature = std::vector<std::pair<size_t, int64_t>>;  ///< (label block, indices in it)
    struct Channel {
        Signature signature;
        size_t group = 0;
        int64_t number = 0;  ///< within the group
    };

    void order_blocks();
    std::string operator_of(const LabelBlock& block) const;
    void find_channels();
    void form_groups();
    void fill_indices();
    void fill_outputs();
    void name_groups();
    AxisSize axis_size(const AxisLabels& labels, int64_t size) const;

    Labelling& labelling_;
    std::vector<size_t> order_;         ///< blocks: producers first, then by execution
    std::vector<int64_t> channel_of_;   ///< per label; -1 when it belongs to none
    std::vector<std::string> reasons_;  ///< per channel
    std::vector<Channel> channels_;
    std::vector<Group> groups_;
    std::vector<Signature> signatures_;  ///< per group; its members are in this order
};

}  // namespace mtlprune
