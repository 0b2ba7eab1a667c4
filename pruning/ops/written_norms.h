// Finds norms across channels that are written out with means and variances.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "pruning/graph/traced_graph.h"

namespace mtlprune {

/// A statistic normalises when nothing that it flows into depends on the scale of what it was taken from: the
/// source is divided by it, or it is subtracted first and the difference divided by another such statistic,
/// in whatever order and with whatever operators. Every operator on the way must say what it makes of a
/// factor in front of its operands: with the source counted as of degree 1, a mean is of degree 1, a variance
/// of 2, a root halves, a quotient subtracts. All ways have to end in values of degree 0 that are as large as
/// the source. Numbers that are added or that clamp (an epsilon) do not count.
class WrittenNorms {
  public:
    WrittenNorms(const TracedGraph& graph, const ValueUses& uses) : graph_(graph), uses_(uses) {}

    /// Whether this mean, variance or standard deviation only normalises.
    bool has(const TracedNode& statistic);

  private:
    bool ends_in_norms(size_t value);
    std::optional<double> degree(size_t value);
    std::optional<double> degree_of_result(size_t number, size_t output);
    std::optional<double> degree_of_sum(size_t number);
    bool is_neutral(size_t value, size_t node);
    std::optional<double> degree_at(size_t node, size_t value);
    std::optional<size_t> overwriter(size_t value, size_t before) const;
    std::vector<size_t> readers(size_t value) const;
    bool is_as_large_as_source(size_t value) const;

    const TracedGraph& graph_;
    const ValueUses& uses_;
    size_t base_ = 0;         ///< of degree 1
    int64_t base_node_ = -1;  ///< nodes up to this one do not depend on it
    int64_t size_ = 0;        ///< elements of the statistic's source
    std::unordered_map<size_t, std::optional<double>> degrees_;
    std::unordered_map<size_t, bool> ends_;
};

}  // namespace mtlprune
