#include "pruning/graph/script_tracer.h"

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <stdexcept>

#include "base/error.h"
#include "base/torch_message.h"
#include "pruning/graph/script_inputs.h"

namespace mtlprune {

namespace jit = torch::jit;

namespace {

torch::Tensor shape_of(const torch::Tensor& tensor) {
    return torch::empty(tensor.sizes(), tensor.options().device(torch::kMeta).requires_grad(false));
}

/// Operators with any number of arguments are told how many they got.
void push_count(const jit::Node& node, jit::Stack& stack) {
    const auto* schema = node.maybeSchema();
    if (schema != nullptr && schema->is_vararg())
        stack.emplace_back(static_cast<int64_t>(node.inputs().size()));
}

/// Too many real numbers to be lengths or positions, on which shapes may depend.
bool is_large(const torch::Tensor& tensor) {
    constexpr int64_t kFew = 64;
    return tensor.is_floating_point() && tensor.numel() > kFew;
}

/// Of an exception that the code raises.
std::string message_of(const c10::IValue& text) {
    return torch_message(std::runtime_error(text.isString() ? text.toStringRef() : ""));
}

bool compares_identity(const jit::Node& node) {
    return operator_of(node.kind().toQualString()).tracing == Tracing::compares;
}

/// For whoever watches the network run.
bool only_tells(const jit::Node& node) {
    return node.kind() == c10::prim::Print ||
           operator_of(node.kind().toQualString()).tracing == Tracing::tells ||
           node.kind() == c10::prim::Enter || node.kind() == c10::prim::Exit;
}

}  // namespace

ScriptTracer::ScriptTracer(const jit::Module& module, ScriptTrace& trace, NodeObserver observer)
    : module_(module), trace_(trace), observer_(std::move(observer)), values_(module, trace, !observer_) {
    trace_.graph.editable = true;
}

void ScriptTracer::run(const std::vector<c10::IValue>& inputs) {
    const auto& code = *trace_.code;
    set(code.inputs()[0], module_._ivalue(), values_.add());
    // One tensor given twice is one in the network too.
    std::unordered_map<const c10::TensorImpl*, torch::Tensor> contents;
    const auto content_of = [&](const torch::Tensor& tensor) {
        auto& content = contents[tensor.unsafeGetTensorImpl()];
        // Integers are positions and lengths, on which shapes may depend.
        const bool keep = c10::isIntegralType(tensor.scalar_type(), true);
        if (!content.defined()) content = keep ? tensor : content_for_run(tensor);
        return content;
    };
    const auto given = forward_arguments(module_, inputs);
    for (size_t i = 0; i < given.size(); ++i) {
        const auto content = map_tensors(given[i], content_of);
        values_.given_from_outside(fmt::format("network input {}", i));
        const size_t number = values_.find(content);
        values_.add_tensors(number, trace_.graph.inputs);
        set(code.inputs()[i + 1], content, number);
    }
    run_block(*code.block());
    for (const auto* output : code.outputs()) values_.add_tensors(number(output), trace_.graph.outputs);
    trace_.computed_for_real = shapes_.computed();
}

torch::Tensor ScriptTracer::content_for_run(const torch::Tensor& tensor) const {
    return observer_ ? tensor : shape_of(tensor);
}

std::vector<size_t> ScriptTracer::numbers(at::ArrayRef<Value*> values) const {
    std::vector<size_t> result;
    for (const auto* value : values) result.push_back(number(value));
    return result;
}

jit::Stack ScriptTracer::arguments(const Node& node) const {
    jit::Stack stack;
    for (const auto* input : node.inputs()) stack.push_back(slots_.at(input).content);
    push_count(node, stack);
    return stack;
}

std::string ScriptTracer::place_of(const Node& node) const {
    std::string origin;
    for (const auto* input : node.inputs())
        if (origin.empty() || origin.rfind("network input", 0) == 0) {
            const auto& from = values_.origin(number(input));
            if (!from.empty()) origin = from;
        }
    return origin.empty() ? node.kind().toQualString()
                          : fmt::format("{} at {}", node.kind().toQualString(), origin);
}

void ScriptTracer::call(Node& node, jit::Stack& stack, bool for_real) {
    try {
        if (for_real)
            node.getOperation()(stack);
        else
            shapes_.run(node, operator_of(node.kind().toQualString()), stack);
    } catch (const std::exception& error) {
        throw Error("TorchScript network", place_of(node), "an operator that runs on these inputs",
                    torch_message(error));
    }
}

void ScriptTracer::run_block(const jit::Block& block) {
    for (auto* node : const_cast<jit::Block&>(block).nodes()) run_node(*node);
}

void ScriptTracer::run_node(Node& node) {
    const auto kind = node.kind();
    if (kind == c10::prim::Constant) return run_constant(node);
    if (kind == c10::prim::If) return run_if(node);
    if (kind == c10::prim::Loop) return run_loop(node);
    if (kind == c10::prim::RaiseException)
        throw Error("TorchScript network", "forward", "inputs that it accepts",
                    message_of(slots_.at(node.inputs()[0]).content));
    if (only_tells(node)) {
        for (const auto* output : node.outputs()) set(output, {}, values_.add());
        return;
    }
    computed_from(node);
    if (is_settled(node)) values_.computed_from({});
    const auto& op = operator_of(kind.toQualString());
    if (kind == c10::prim::unchecked_cast || kind == c10::prim::unchecked_unwrap_optional)
        return pass(node.output(), node.input());
    if (op.tracing == Tracing::passes && !slots_.at(node.input()).content.isNone())
        return pass(node.output(), node.input());
    bool is_done = false;
    try {
        is_done = run_structure(node);
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {
        throw Error("TorchScript network", place_of(node), "values that fit", torch_message(error));
    }
    if (!is_done) run_operator(node, op);
}

/// Whether a tensor is None varies where somebody may leave it out; what the network computes is there.
bool ScriptTracer::is_settled(Node& node) const {
    if (!compares_identity(node)) return false;
    const auto& slot = slots_.at(node.inputs()[0]);
    const auto& given = trace_.graph.inputs;
    return slot.content.isTensor() && std::find(given.begin(), given.end(), slot.number) == given.end();
}

void ScriptTracer::run_constant(Node& node) {
    auto content = jit::toIValue(node.output()).value_or(c10::IValue());
    values_.computed_from({});
    const bool is_tensor = content.isTensor() && content.toTensor().defined();
    const size_t number = is_tensor ? values_.add_tensor(content.toTensor()) : values_.record(content);
    values_.traced(number).constant = content;
    if (is_tensor) trace_.constants[number] = node.output();
    // Numbers stay what they are; large tensors need no content to have a shape.
    if (is_tensor && is_large(content.toTensor())) content = content_for_run(content.toTensor());
    set(node.output(), std::move(content), number);
}

void ScriptTracer::run_operator(Node& node, const Operator& op) {
    auto stack = arguments(node);
    // Shapes alone would be other tensors than the arguments.
    call(node, stack, observer_ != nullptr || compares_identity(node));
    record_operator(node, op, stack);
}

/// The code runs as on a processor; large tensors of real numbers have a shape only.
void ScriptTracer::set_result(const Value* value, c10::IValue content) {
    if (content.isDevice() && content.toDevice().is_meta()) content = c10::Device(c10::kCPU);
    if (content.isTensor() && content.toTensor().defined() && is_large(content.toTensor()))
        content = content_for_run(content.toTensor());
    const size_t number = values_.record(content);
    set(value, std::move(content), number);
}

void ScriptTracer::record_operator(Node& node, const Operator& op, const jit::Stack& results) {
    const size_t first_new = trace_.graph.values.size();
    for (size_t i = 0; i < node.outputs().size(); ++i) set_result(node.outputs()[i], results[i]);
    if (node.outputs().empty()) return;
    if (op.tracing == Tracing::makes_literal && !reads_computed(node)) {
        // A tensor of numbers that stand in the code is a constant of it.
        const size_t number = this->number(node.output());
        values_.traced(number).constant = results[0];
        trace_.constants[number] = node.output();
        return;
    }
    if (node.outputs().size() == 1) note_sizes(node, op, number(node.output()));
    // What only arranges tensors that are known makes none.
    std::vector<size_t> tensors;
    for (const auto* output : node.outputs()) values_.add_tensors(number(output), tensors);
    const auto is_known = [&](size_t tensor) { return tensor < first_new; };
    if (!tensors.empty() && std::all_of(tensors.begin(), tensors.end(), is_known)) return;
    trace_.graph.nodes.emplace_back(node.kind().toQualString(), numbers(node.inputs()),
                                    numbers(node.outputs()));
    trace_.nodes.push_back(&node);
    if (observer_) observer_(trace_.nodes.size() - 1, results);
}

/// A number among the arguments, or in a list of them, is computed from sizes.
bool ScriptTracer::reads_computed(Node& node) const {
    const auto& values = trace_.graph.values;
    const auto is_computed = [&](size_t value) { return !values[value].computed_from.empty(); };
    const auto inputs = numbers(node.inputs());
    return std::any_of(inputs.begin(), inputs.end(), [&](size_t value) {
        const auto& elements = values[value].elements;
        return is_computed(value) || std::any_of(elements.begin(), elements.end(), is_computed);
    });
}

/// What a number that is computed from sizes depends on. Lists of sizes have an element per axis.
void ScriptTracer::note_sizes(Node& node, const Operator& op, size_t output) {
    auto& values = trace_.graph.values;
    const auto& content = slots_.at(node.output()).content;
    if (op.tracing == Tracing::reads_sizes) {
        const size_t of = number(node.inputs()[0]);
        const auto rank = values_.traced(of).shape.size();
        if (content.isIntList()) {
            const auto elements = values_.traced(output).elements;
            for (size_t axis = 0; axis < rank; ++axis) values[elements[axis]].computed_from = {{of, axis}};
        } else if (node.inputs().size() > 1) {
            const int64_t axis = slots_.at(node.inputs()[1]).content.toInt();
            values[output].computed_from = {
                {of, static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis)}};
        } else {
            for (size_t axis = 0; axis < rank; ++axis) values[output].computed_from.emplace_back(of, axis);
        }
        return;
    }
    const bool is_number = content.isScalar() || (content.isTensor() && content.toTensor().dim() == 0 &&
                                                  !content.toTensor().is_meta());
    if (!is_number) return;
    auto& from = values[output].computed_from;
    const auto add = [&](size_t value) {
        const auto& more = values[value].computed_from;
        from.insert(from.end(), more.begin(), more.end());
    };
    for (const size_t input : numbers(node.inputs())) {
        add(input);
        for (const size_t element : values_.traced(input).elements) add(element);
    }
}

}  // namespace mtlprune
