// Branches and loops of a TorchScript network: followed as the example inputs take them.
#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "pruning/graph/script_tracer.h"

namespace mtlprune {

namespace jit = torch::jit;

namespace {

bool has_node(const jit::Block& block, const std::function<bool(const jit::Node&)>& wanted) {
    const auto nodes = block.nodes();
    return std::any_of(nodes.begin(), nodes.end(), [&](const jit::Node* node) { return wanted(*node); });
}

bool always_raises(const jit::Block& block) {
    return has_node(block, [](const jit::Node& node) { return node.kind() == c10::prim::RaiseException; });
}

bool has_second_choice(const jit::Block& block) {
    return has_node(block, [](const jit::Node& node) {
        return operator_of(node.kind().toQualString()).tracing == Tracing::second_choice;
    });
}

/// "net.py:31" of the source that was scripted, where the file has kept it.
std::string source_place(const jit::Node& node) {
    const auto range = node.sourceRange();
    const auto place = range.findSourceRangeThatGenerated().value_or(range).file_line_col();
    if (!place) return "";
    const auto& [file, line, column] = *place;
    return fmt::format("{}:{}", std::filesystem::path(file).filename().string(), line);
}

bool is_tensor_like(const jit::Value& value) {
    const auto kind = value.type()->kind();
    if (kind == c10::TypeKind::TensorType) return true;
    const auto inner = value.type()->containedTypes();
    return kind != c10::TypeKind::ClassType && std::any_of(inner.begin(), inner.end(), [](const auto& type) {
               return type->kind() == c10::TypeKind::TensorType;
           });
}

/// Runs on any number of channels and leaves each where it is.
bool follows_its_input(const jit::Node& node) {
    const auto& op = operator_of(node.kind().toQualString());
    const auto tensors = std::count_if(node.inputs().begin(), node.inputs().end(),
                                       [](const jit::Value* input) { return is_tensor_like(*input); });
    return tensors <= 1 && keeps_channels(op);
}

/// Hands tensors on or reads their sizes.
bool computes_nothing(const jit::Node& node) {
    const auto outputs = node.outputs();
    return node.kind().is_prim() ||
           std::none_of(outputs.begin(), outputs.end(),
                        [](const jit::Value* output) { return is_tensor_like(*output); });
}

}  // namespace

void ScriptTracer::run_if(Node& node) {
    const auto* condition = node.input();
    bool holds = slots_.at(condition).content.toBool();
    const auto block = [&](bool is_first) { return node.blocks()[is_first ? 0 : 1]; };
    const bool first = has_second_choice(*block(true)), second = has_second_choice(*block(false));
    if (first != second && !always_raises(*block(second)) &&
        condition->node()->kind() != c10::prim::Constant) {
        holds = second;
        decide(node, holds);
    } else {
        trace_.decisions.emplace_back(&node, 0, number(condition));
        if (values_.varies(number(condition))) note_untaken(node, *block(!holds));
    }
    run_block(*block(holds));
    for (size_t i = 0; i < node.outputs().size(); ++i) pass(node.outputs()[i], block(holds)->outputs()[i]);
}

/// Makes the condition of a branch a constant, also where it says to other branches which way this one went.
void ScriptTracer::decide(Node& node, bool holds) {
    auto* condition = node.input();
    auto* maker = condition->node();
    const bool is_argument = maker->kind() == c10::prim::Param;
    const jit::WithInsertPoint here(is_argument ? &node : maker->next());
    auto* constant = trace_.code->insertConstant(holds);
    values_.computed_from({});
    set(constant, holds, values_.record(holds));
    node.replaceInput(0, constant);
    if (is_argument) return;
    for (const auto& use : std::vector(condition->uses()))
        if (use.user->kind() == c10::prim::Return) use.user->replaceInput(use.offset, constant);
}

/// prim::Loop(trip count, condition, carried values...); its block gets the iteration's number and the
/// carried values.
void ScriptTracer::run_loop(Node& node) {
    for (const size_t argument : {0, 1})
        trace_.decisions.emplace_back(&node, argument, number(node.inputs()[argument]));
    const int64_t trips = slots_.at(node.inputs()[0]).content.toInt();
    bool goes_on = slots_.at(node.inputs()[1]).content.toBool();
    std::vector<Slot> carried;
    for (size_t i = 2; i < node.inputs().size(); ++i) carried.push_back(slots_.at(node.inputs()[i]));
    const auto& body = *node.blocks()[0];
    const auto decided_by = numbers(node.inputs().slice(0, 2));
    const bool may_run = values_.varies(decided_by[0]) || values_.varies(decided_by[1]);
    if (may_run && (trips == 0 || !goes_on)) {
        for (size_t i = 0; i < carried.size(); ++i) slots_[body.inputs()[i + 1]] = carried[i];
        note_untaken(node, body);
    }
    for (int64_t trip = 0; trip < trips && goes_on; ++trip) {
        values_.computed_from(decided_by);
        set(body.inputs()[0], trip, values_.record(trip));
        for (size_t i = 0; i < carried.size(); ++i) slots_[body.inputs()[i + 1]] = carried[i];
        run_block(body);
        goes_on = slots_.at(body.outputs()[0]).content.toBool();
        for (size_t i = 0; i < carried.size(); ++i) carried[i] = slots_.at(body.outputs()[i + 1]);
    }
    for (size_t i = 0; i < carried.size(); ++i) slots_[node.outputs()[i]] = carried[i];
}

void ScriptTracer::note_untaken(const Node& node, const jit::Block& block) {
    if (observer_ || always_raises(block)) return;
    UntakenBranch branch;
    collect_reads(block, branch.reads);
    if (branch.reads.empty()) return;
    branch.place = source_place(node);
    if (branch.place.empty()) branch.place = values_.origin(branch.reads.front());
    trace_.untaken.push_back(std::move(branch));
}

/// The tensors from outside that operators of the block read.
void ScriptTracer::collect_reads(const jit::Block& block, std::vector<size_t>& reads) {
    for (auto* node : const_cast<jit::Block&>(block).nodes()) {
        for (const auto* inner : node->blocks()) collect_reads(*inner, reads);
        if (node->kind() == c10::prim::GetAttr && slots_.count(node->input()) > 0 &&
            slots_.at(node->input()).content.isObject())
            run_attribute(*node);
        if (computes_nothing(*node)) continue;
        if (follows_its_input(*node)) {
            for (const auto* input : node->inputs())
                if (is_tensor_like(*input) && slots_.count(input) > 0) pass(node->output(), input);
            continue;
        }
        for (const auto* input : node->inputs())
            if (slots_.count(input) > 0) values_.add_tensors(number(input), reads);
    }
}

}  // namespace mtlprune
