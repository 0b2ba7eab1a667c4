// Labels of every axis of every value of a trace, and the operations with which rules relate them.
#pragma once

#include <string>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/coupling/traced_graph.h"
#include "pruning/coupling/union_find.h"

namespace mtlprune {

/// One label per index of an axis; empty when the whole axis is fixed.
using AxisLabels = std::vector<Label>;
/// Per axis of a tensor. An element leaves when the label of any of its indices leaves.
using TensorLabels = std::vector<AxisLabels>;

/// The labels of one dimension of one stored tensor.
struct LabelBlock {
    size_t stored;  ///< number in TracedGraph::stored
    int64_t dim;
    Label first;
    int64_t size;
    Role role = Role::channelwise;
    int64_t node = -1;      ///< the first operator that gave it a role; -1 when none did
    int64_t argument = -1;  ///< of that operator; -1 when the operator reads a value computed from it
};

/// An operand of a broadcasting operation.
struct Operand {
    TensorLabels labels;
    std::vector<int64_t> shape;
};

class Labelling {
  public:
    /// Fresh labels for every dimension of every stored tensor; all else is fixed.
    explicit Labelling(const TracedGraph& graph);

    const TracedGraph& graph() const { return graph_; }
    const TensorLabels& labels(size_t value) const { return labels_[value]; }
    /// Labels that do not fit the value's shape are frozen instead: a rule met a form it was not written for.
    void set(size_t value, TensorLabels labels);
    const std::vector<int64_t>& shape(size_t value) const { return graph_.values[value].shape; }
    Operand operand(size_t value) const { return {labels_[value], shape(value)}; }
    bool is_tensor(const TracedNode& node, size_t input) const;

    /// The node that the following joins, freezes and roles come from; reasons name it.
    void begin(size_t node);
    /// "aten::cumsum after backbone.conv3: <why>"
    std::string explain(const std::string& why) const;

    /// Position by position; when one of the two is fixed the other freezes.
    void join(const AxisLabels& a, const AxisLabels& b, const std::string& why);
    /// Joins positions q * period + i over all q.
    void join_periodic(const AxisLabels& axis, int64_t period);
    void freeze(const AxisLabels& axis, const std::string& why);
    void freeze_all(const TensorLabels& labels, const std::string& why);
    /// Gives a dimension of a stored tensor, or of a value computed from stored tensors alone, its role. The
    /// strongest role counts (output, then input, then channelwise); other values are left alone.
    void mark(size_t value, size_t dim, Role role);

    /// NumPy broadcasting to `shape`: joins operands along axes they share; axes of size 1 do not couple.
    TensorLabels broadcast(const std::vector<Operand>& operands, const std::vector<int64_t>& shape);
    /// The labels of the same elements, in order, under another shape.
    TensorLabels reshape(const Operand& operand, const std::vector<int64_t>& shape);

    UnionFind& sets() { return sets_; }
    const std::vector<LabelBlock>& blocks() const { return blocks_; }

  private:
    AxisLabels merge_axes(const Operand& operand, const std::vector<size_t>& axes);
    void split_axis(AxisLabels merged, const std::vector<int64_t>& shape, const std::vector<size_t>& axes,
                    TensorLabels& out);
    std::string origin_of(const TracedNode& node) const;

    const TracedGraph& graph_;
    UnionFind sets_;
    std::vector<LabelBlock> blocks_;
    std::vector<size_t> block_of_label_;
    std::vector<TensorLabels> labels_;
    std::vector<std::string> origin_;  ///< per value: the module that a reader would look for it in
    std::vector<bool> is_weight_;      ///< per value: stored, or computed from stored tensors alone
    int64_t node_ = -1;
};

}  // namespace mtlprune
