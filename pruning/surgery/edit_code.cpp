#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "pruning/surgery/code_edits.h"
#include "pruning/surgery/number_code.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

/// Deletes what the edits left without a reader. LibTorch's own pass visits the whole network.
class DeadCode {
  public:
    /// Call once `value` has lost a reader.
    void check(jit::Value* value) { candidates_.insert(value->node()); }

    void remove() {
        while (!candidates_.empty()) {
            auto* node = *candidates_.begin();
            candidates_.erase(candidates_.begin());
            if (!is_dead(*node)) continue;
            for (auto* input : node->inputs()) check(input);
            node->destroy();
        }
    }

  private:
    static bool is_dead(const jit::Node& node) {
        if (node.kind() == c10::prim::Param || node.hasUses() || !node.blocks().empty()) return false;
        const auto* schema = node.maybeSchema();
        return !node.hasSideEffects() && (schema == nullptr || !schema->is_mutable());
    }

    std::unordered_set<jit::Node*> candidates_;
};

/// The value of the code that follows an edit; code goes where the graph inserts.
jit::Value* edited(jit::Graph& graph, const NumberEdit& edit, jit::Value* old) {
    if (edit.form == NumberEdit::Form::constant) return graph.insertConstant(edit.number);
    return scaled_number(graph, old, edit.numerator, edit.denominator);
}

/// By an operator that writes into it, such as append.
bool is_changed(const jit::Value& list) {
    return std::any_of(list.uses().begin(), list.uses().end(), [](const jit::Use& use) {
        const auto* schema = use.user->maybeSchema();
        return schema != nullptr && schema->is_mutable() && use.offset == 0;
    });
}

/// `length`: of the list, where the argument is one.
void change_number(jit::Node* node, size_t argument, int64_t element, const NumberEdit& edit, size_t length) {
    const jit::WithInsertPoint here(node);
    if (element < 0) {
        node->replaceInput(argument, edited(*node->owningGraph(), edit, node->input(argument)));
        return;
    }
    auto* list = node->input(argument)->node();
    // A list of its own, since others may read the same one.
    auto& graph = *node->owningGraph();
    if (list->kind() == c10::prim::Constant) {
        auto numbers = jit::toIValue(list->output())->toIntVector();
        numbers.at(element) = edit.number.toInt();
        node->replaceInput(argument, graph.insertConstant(numbers));
        return;
    }
    std::vector<jit::Value*> elements(list->inputs().begin(), list->inputs().end());
    if (list->kind() != c10::prim::ListConstruct || is_changed(*list->output())) {
        elements.clear();
        for (size_t i = 0; i < length; ++i)
            elements.push_back(
                graph.insert(c10::aten::__getitem__, {list->output(), static_cast<int64_t>(i)}));
    }
    elements.at(element) = edited(graph, edit, elements.at(element));
    const auto type = list->output()->type()->expectRef<c10::ListType>().getElementType();
    node->replaceInput(argument, graph.insertNode(graph.createList(type, elements))->output());
}

/// Whoever reads the result reads these entries of it.
void cut_result(jit::Node* node, int64_t axis, const std::vector<int64_t>& stays) {
    const jit::WithInsertPoint behind(node->next());
    auto& graph = *node->owningGraph();
    auto* indices = graph.insertConstant(torch::tensor(stays, torch::kInt64));
    auto* part = graph.insert(c10::aten::index_select, {node->output(), axis, indices});
    node->output()->replaceAllUsesAfterNodeWith(part->node(), part);
}

}  // namespace

void edit_code(ScriptTrace& script, const TracedGraph& graph, const CodeEdits& edits) {
    DeadCode dead;
    // In order of execution, so that equal networks give equal files.
    std::unordered_map<const jit::Node*, size_t> position;
    for (size_t i = 0; i < script.nodes.size(); ++i) position.emplace(script.nodes[i], i);
    for (const auto& decision : script.decisions) position.emplace(std::get<0>(decision), position.size());
    std::vector<decltype(edits.numbers)::const_iterator> order;
    for (auto it = edits.numbers.begin(); it != edits.numbers.end(); ++it)
        if (it->second.form != NumberEdit::Form::computed) order.push_back(it);
    std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
        return position.at(std::get<0>(a->first)) < position.at(std::get<0>(b->first));
    });
    for (const auto& edit : order) {
        const auto& [node, argument, element] = edit->first;
        size_t length = 0;
        if (element >= 0)
            length = graph.integers(graph.nodes[position.at(node)].inputs[argument])
                         .value_or(std::vector<int64_t>())
                         .size();
        dead.check(node->input(argument));
        change_number(node, argument, element, edit->second, length);
    }
    for (const auto& [node, factor] : edits.query_factors) {
        const jit::WithInsertPoint guard(node);
        node->replaceInput(0, script.code->insert(c10::aten::mul, {node->input(0), factor}));
    }
    auto cuts = edits.cuts;
    for (auto* node : script.nodes)
        if (const auto cut = cuts.extract(node)) cut_result(node, cut.mapped().first, cut.mapped().second);
    for (auto* value : script.constants) {
        const auto edit = edits.tensors.find(value);
        if (value == nullptr || edit == edits.tensors.end() || !value->hasUses()) continue;
        const jit::WithInsertPoint guard(value->node());
        value->replaceAllUsesWith(script.code->insertConstant(edit->second));
        dead.check(value);
    }
    dead.remove();
}

}  // namespace mtlprune
