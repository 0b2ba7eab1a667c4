// Runs a TorchScript graph node by node and records what it does.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pruning/graph/script_values.h"
#include "pruning/graph/shape_inference.h"

namespace mtlprune {

class ScriptTracer {
  public:
    /// Without an observer tensors have shapes only.
    ScriptTracer(const torch::jit::Module& module, ScriptTrace& trace, NodeObserver observer);

    void run(const std::vector<c10::IValue>& inputs);

  private:
    using Node = torch::jit::Node;
    using Value = torch::jit::Value;

    void run_block(const torch::jit::Block& block);
    void run_node(Node& node);
    void run_constant(Node& node);
    bool is_settled(Node& node) const;
    bool reads_computed(Node& node) const;
    void run_operator(Node& node, const Operator& op);
    void record_operator(Node& node, const Operator& op, const torch::jit::Stack& results);
    void set_result(const Value* value, c10::IValue content);
    void note_sizes(Node& node, const Operator& op, size_t output);

    // Branches and loops.
    void run_if(Node& node);
    void decide(Node& node, bool holds);
    void run_loop(Node& node);
    void note_untaken(const Node& node, const torch::jit::Block& block);
    void collect_reads(const torch::jit::Block& block, std::vector<size_t>& reads);

    // Objects, lists, tuples and dictionaries.
    void run_attribute(const Node& node);
    void set_attribute(const Node& node);
    bool run_structure(Node& node);
    void run_unpack(Node& node);
    void run_container(Node& node);
    void run_list_operator(Node& node);
    void run_dictionary_operator(Node& node);

    torch::Tensor content_for_run(const torch::Tensor& tensor) const;
    torch::jit::Stack arguments(const Node& node) const;
    /// Where nothing is computed from tensors: `for_real`.
    void call(Node& node, torch::jit::Stack& stack, bool for_real);
    size_t number(const Value* value) const { return values_.number(slots_.at(value)); }
    std::vector<size_t> numbers(at::ArrayRef<Value*> values) const;
    void computed_from(Node& node) { values_.computed_from(numbers(node.inputs())); }
    void pass(const Value* to, const Value* from) { slots_[to] = slots_.at(from); }
    void set(const Value* value, c10::IValue content, size_t number) {
        slots_[value] = {std::move(content), number};
    }
    /// "aten::conv2d at layer1.conv2"
    std::string place_of(const Node& node) const;

    const torch::jit::Module& module_;
    ScriptTrace& trace_;
    NodeObserver observer_;
    ScriptValues values_;
    ShapeInference shapes_;
    std::unordered_map<const Value*, Slot> slots_;
    /// What the code wrote into attributes of objects; the module itself stays as it is.
    std::map<std::pair<const void*, std::string>, Slot> written_;
};

}  // namespace mtlprune
