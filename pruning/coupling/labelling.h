// Labels of every axis of every value of a trace, and the operations with which rules relate them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/coupling/label_array.h"
#include "pruning/coupling/union_find.h"
#include "pruning/graph/traced_graph.h"

namespace mtlprune {

/// Why channels stay that meet others that stay for no reason of their own, such as the network's inputs.
inline constexpr const char* kFixed = "reads or produces channels that cannot shrink";

/// The labels of one dimension of one stored tensor.
struct LabelBlock {
    size_t stored;  ///< number in TracedGraph::stored
    size_t dim;
    LabelsPtr labels;  ///< null while nobody has asked for them
    Role role = Role::channelwise;
    int64_t node = -1;      ///< the first operator that gave it a role; -1 when none did
    int64_t argument = -1;  ///< of that operator; -1 when the operator reads a value computed from it
    bool is_fixed = false;  ///< never gets labels
};

class Labelling {
  public:
    Labelling(const TracedGraph& graph, const CouplingOptions& options);

    const TracedGraph& graph() const { return graph_; }
    const CouplingOptions& options() const { return options_; }
    const std::vector<int64_t>& shape(size_t value) const { return graph_.values[value].shape; }
    bool is_tensor(const TracedNode& node, size_t input) const;

    /// The labels of a value; dimensions of stored tensors that nobody has asked for yet get fresh ones.
    const Labelled& labels(size_t value);
    /// Labels whose shape is not the value's are frozen instead: a rule met a form it was not written for.
    void set(size_t value, Labelled labels);

    /// The node that the following joins, freezes and roles come from; reasons name it.
    void begin(size_t node);
    /// "aten::cumsum at backbone.conv3: <why>"
    std::string explain(const std::string& why) const { return explain(node_, why); }
    std::string explain(int64_t node, const std::string& why) const;
    /// kFixed at this node, and where the channels that it meets were frozen.
    std::string explain_fixed(int64_t node);

    /// Position by position; when one of the two is fixed (null) the other freezes. Returns what both are
    /// now.
    LabelsPtr join(const LabelsPtr& a, const LabelsPtr& b, const std::string& why);
    /// Joins positions q * period + i over all q.
    void join_periodic(const LabelsPtr& labels, int64_t period);
    /// Joins positions q * block + i over all i < block.
    void join_blocks(const LabelsPtr& labels, int64_t block);
    void freeze(const LabelsPtr& labels, const std::string& why);
    void freeze_range(const LabelsPtr& labels, int64_t first, int64_t last, const std::string& why);
    void freeze_all(size_t value, const std::string& why);
    void freeze_all(const Labelled& x, const std::string& why);
    /// Says that removing one of these channels changes the others: removal is not the same as zeroing.
    void mark_cross_channel(const LabelsPtr& labels);

    /// The labels along one axis alone (null when it is fixed): equal indices of the axis stay together over
    /// all other axes that share the array. With whole_heads the inner one of several axes is fixed instead.
    LabelsPtr alone(Labelled& x, size_t axis);
    /// Makes `axis` unable to shrink: labels that it shares with other axes join across it, its own freeze.
    void fix_axis(Labelled& x, size_t axis, const std::string& why);
    /// Joint arrays that cover an axis of `inner` and another one: either the others are made unable to
    /// shrink (the default) or, with whole_heads, those of `inner`.
    void separate(Labelled& x, const std::vector<size_t>& inner);
    /// Afterwards every array of the value covers one axis, so that whole slices leave.
    void make_rectangular(size_t value);

    /// Dimension `dim` of a weight is (or produces, or reads) the channels `labels`; null: they cannot
    /// shrink.
    LabelsPtr attach(size_t value, size_t dim, const LabelsPtr& labels, Role role);
    /// A dimension of a stored tensor that is no channel, such as a kernel's height.
    void fix_stored(size_t value, size_t dim, const std::string& why);
    /// Gives a dimension of a stored tensor, or of a value computed from stored tensors alone, its role. The
    /// strongest role counts (output, then input, then channelwise); other values are left alone.
    void mark(size_t value, size_t dim, Role role);
    bool is_weight(size_t value) const { return is_weight_[value]; }
    bool is_stored(size_t value) const { return stored_of_[value] >= 0; }
    /// See Labelled::vanishes.
    bool vanishes(size_t value) const { return labels_[value].vanishes; }

    /// NumPy broadcasting to `shape`: joins operands along axes they share; axes of size 1 do not couple.
    Labelled broadcast(std::vector<Labelled> operands, const std::vector<int64_t>& shape);
    /// The labels of the same elements, in order, under another shape.
    Labelled reshape(const Labelled& x, const std::vector<int64_t>& shape);
    /// New labels on all axes: for values that are made on the spot, such as zeros, whose size follows.
    Labelled fresh(const std::vector<int64_t>& shape);
    /// One new label per index of an axis of this size; null for size 1.
    LabelsPtr fresh_axis(int64_t size);
    /// The labels were made for copies along an axis (fresh) and nothing depends on how many there are.
    bool is_unused(const LabelArray& array);
    /// New labels for an axis that holds copies of one entry.
    LabelsPtr copies_axis(int64_t size);

    /// Of the graph; found when first asked for.
    const ValueUses& uses();
    UnionFind& sets() { return sets_; }
    const std::vector<LabelBlock>& blocks() const { return blocks_; }
    /// Arrays of all values that have any, those of stored tensors and constants included.
    const std::vector<Labelled>& all() const { return labels_; }
    const std::vector<Label>& cross_channel() const { return cross_channel_; }
    /// Axes of heads and of their widths met an operator that tells them apart: whole_heads had an effect.
    bool found_heads() const { return found_heads_; }

  private:
    void materialise(size_t value);
    void overwrite(size_t value);
    void separate_crossing(std::vector<Labelled>& operands);
    void separate_slices(std::vector<Labelled>& operands);
    LabelsPtr shrink(Labelled& x, size_t axis);
    void fix_widths(std::vector<Labelled>& operands);
    bool fix_unlabelled_axes(std::vector<Labelled>& operands, const std::vector<int64_t>& shape);
    void unite(Labelled& result, const std::vector<LabelArray>& arrays);
    void simplify(Labelled& x, LabelArray array);
    std::string origin_of(const TracedNode& node) const;
    std::string with_cause(int64_t node, const std::string& why);

    const TracedGraph& graph_;
    const CouplingOptions& options_;
    std::optional<ValueUses> uses_;
    UnionFind sets_;
    std::vector<LabelBlock> blocks_;
    std::vector<size_t> first_block_;  ///< per stored tensor
    std::vector<int64_t> stored_of_;   ///< per value; -1 when it is not stored
    std::vector<bool>
        materialised_;  ///< per value: stored tensors and constants get labels when first asked for
    std::vector<Labelled> labels_;
    std::vector<std::string> origin_;  ///< per value: the module that a reader would look for it in
    std::vector<bool> is_weight_;      ///< per value: stored, or computed from stored tensors alone
    std::vector<size_t> memory_;       ///< per value: the value whose memory it shares
    std::vector<bool> is_copy_;        ///< per label
    std::vector<Label> cross_channel_;
    bool found_heads_ = false;
    int64_t node_ = -1;
};

}  // namespace mtlprune
