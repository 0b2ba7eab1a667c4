// Collects the edits of a TorchScript graph that a plan makes necessary, one traced node after the other.
#pragma once

#include "pruning/surgery/code_edits.h"
#include "pruning/surgery/recomputed_numbers.h"

namespace mtlprune {

class EditFinder {
  public:
    EditFinder(const Coupling& coupling, const Plan& plan);
    /// Asks the records of all operators; numbers that were computed from sizes, and constant tensors, follow
    /// in all of them.
    CodeEdits find();

    // For the rules of operators, about the node that is being looked at.

    const TracedGraph& graph() const { return graph_; }
    const KeptChannels& kept() const { return kept_; }
    size_t rank(size_t value) const { return graph_.values[value].shape.size(); }

    /// The argument (or an element of it; -1: all of it) becomes `number` on the example inputs. What the
    /// code computes goes on being computed.
    void change(size_t argument, int64_t element, const c10::IValue& number);
    /// Element i of a list of sizes is that of axis first_axis + i of `value`.
    void change_sizes(const TracedNode& node, size_t argument, size_t value, size_t first_axis);
    /// A position counted from the front, or (negative) from the back, after removal of others.
    int64_t moved(size_t value, size_t axis, int64_t position) const;
    /// The argument is a position along this axis of the first input.
    void move_argument(const TracedNode& node, size_t argument, size_t axis);
    /// Indices into an axis: those that left are dropped with the axis of the index, the others move.
    void renumber(size_t index, size_t value, size_t axis);
    /// By which the square root of the axis' size changes.
    double width_factor(size_t value, size_t axis) const;
    /// The result stays what it is, whatever sizes its numbers were computed from, but loses what left this
    /// axis.
    void cut_result(const TracedNode& node, size_t axis);
    /// The first input is multiplied by `factor`.
    void scale_queries(double factor);
    /// The first rows of a pruned stored tensor are.
    void scale_rows(size_t value, int64_t count, double factor);

  private:
    static constexpr size_t kNoValue = static_cast<size_t>(-1);

    void begin(const TracedNode& node, torch::jit::Node* code);
    void edit(size_t argument, int64_t element, const c10::IValue& number, size_t value);
    NumberEdit form_of(const c10::IValue& number, size_t value);
    void keep_numbers();
    void set_index(size_t index, const torch::Tensor& tensor);
    void slice_constant(size_t value);

    const Coupling& coupling_;
    const TracedGraph& graph_;
    KeptChannels kept_;
    RecomputedNumbers recomputed_;
    CodeEdits edits_;
    const TracedNode* node_ = nullptr;
    torch::jit::Node* code_ = nullptr;
};

}  // namespace mtlprune
