#include "pruning/graph/script_graph.h"

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/utils.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "pruning/graph/script_inputs.h"
#include "pruning/graph/script_tensors.h"
#include "pruning/graph/shape_inference.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

/// What a value of the graph holds at the moment, and its number in the trace.
struct Slot {
    c10::IValue content;
    size_t number = 0;
};

torch::Tensor shape_of(const torch::Tensor& tensor) {
    return torch::empty(tensor.sizes(), tensor.options().device(torch::kMeta).requires_grad(false));
}

bool acts_on_list(const jit::Node& node, const Operator& op) {
    return op.on_list != OnList::nothing && !node.inputs().empty() &&
           node.inputs()[0]->type()->kind() == c10::TypeKind::ListType;
}

/// What prim::ListConstruct, TupleConstruct or DictConstruct makes of its inputs.
c10::IValue container(const jit::Node& node, const std::vector<c10::IValue>& contents) {
    if (node.kind() == c10::prim::TupleConstruct) return c10::ivalue::Tuple::create(contents);
    const auto type = node.output()->type();
    if (node.kind() == c10::prim::ListConstruct) {
        c10::impl::GenericList list(type->expectRef<c10::ListType>().getElementType());
        for (const auto& content : contents) list.push_back(content);
        return list;
    }
    const auto& dictionary = type->expectRef<c10::DictType>();
    c10::impl::GenericDict entries(dictionary.getKeyType(), dictionary.getValueType());
    for (size_t i = 0; i + 1 < contents.size(); i += 2) entries.insert(contents[i], contents[i + 1]);
    return entries;
}

/// What a tuple, list or dictionary (keys too) holds; numbers in lists of numbers stay there.
std::vector<c10::IValue> elements_of(const c10::IValue& content) {
    if (content.isTuple()) return content.toTupleRef().elements().vec();
    if (content.isIntList() || content.isDoubleList() || content.isBoolList()) return {};
    if (content.isList()) return content.toListRef().vec();
    std::vector<c10::IValue> elements;
    if (content.isGenericDict())
        for (const auto& item : content.toGenericDict()) {
            elements.push_back(item.key());
            elements.push_back(item.value());
        }
    return elements;
}

/// Runs a graph and records it.
class ScriptTracer {
  public:
    /// Without an observer tensors have shapes only.
    ScriptTracer(const jit::Module& module, ScriptTrace& trace, NodeObserver observer)
        : module_(module), trace_(trace), observer_(std::move(observer)) {
        trace_.graph.editable = true;
        collect_stored();
    }

    void run(const std::vector<c10::IValue>& inputs) {
        const auto& code = *trace_.code;
        slots_[code.inputs()[0]] = {module_._ivalue(), new_value()};
        const auto arguments = forward_arguments(module_, inputs);
        for (size_t i = 0; i < arguments.size(); ++i) {
            const auto content = map_tensors(
                arguments[i], [&](const torch::Tensor& tensor) { return content_for_run(tensor); });
            const size_t number = record(content);
            add_tensors(number, trace_.graph.inputs);
            slots_[code.inputs()[i + 1]] = {content, number};
        }
        run_block(*code.block());
        for (const auto* output : code.outputs()) add_tensors(slots_.at(output).number, trace_.graph.outputs);
        trace_.computed_for_real = shapes_.computed();
    }

  private:
    void collect_stored();
    torch::Tensor content_for_run(const torch::Tensor& tensor) const {
        return observer_ ? tensor : shape_of(tensor);
    }
    size_t new_value();
    size_t new_tensor(const torch::Tensor& tensor);
    size_t record(const c10::IValue& content);
    void add_tensors(size_t number, std::vector<size_t>& tensors) const;
    void run_block(const jit::Block& block);
    void run_node(jit::Node& node);
    void run_if(jit::Node& node);
    void run_loop(jit::Node& node);
    void run_constant(jit::Node& node);
    void run_attribute(const jit::Node& node);
    void run_operator(jit::Node& node, const Operator& op);
    void run_list_operator(jit::Node& node, const Operator& op, jit::Stack& stack);
    void take_sizes(jit::Node& node, size_t to);
    void note_sizes(jit::Node& node, const Operator& op, size_t output);
    bool run_container(jit::Node& node, const Operator& op);
    void pass(const jit::Value* to, const jit::Value* from) { slots_[to] = slots_.at(from); }
    void set(const jit::Value* value, c10::IValue content, size_t number) {
        slots_[value] = {std::move(content), number};
    }
    std::vector<size_t> numbers(at::ArrayRef<jit::Value*> values) const;

    const jit::Module& module_;
    ScriptTrace& trace_;
    NodeObserver observer_;
    std::unordered_map<const jit::Value*, Slot> slots_;
    std::unordered_map<const c10::TensorImpl*, size_t> stored_;  ///< number in the trace
    ShapeInference shapes_;
};

void ScriptTracer::collect_stored() {
    const auto add = [&](const std::string& name, const torch::Tensor& tensor, bool is_buffer) {
        if (!tensor.defined() || stored_.count(tensor.unsafeGetTensorImpl()) > 0) return;
        const size_t number = new_tensor(tensor);
        stored_[tensor.unsafeGetTensorImpl()] = number;
        trace_.graph.stored.push_back(stored_tensor(name, number, tensor, is_buffer));
        if (!c10::isIntegralType(tensor.scalar_type(), true)) return;
        trace_.graph.values[number].constant = tensor;
    };
    visit_tensors(module_, add);
}

size_t ScriptTracer::new_value() {
    trace_.graph.values.emplace_back();
    trace_.constants.push_back(nullptr);
    trace_.computed_from.emplace_back();
    return trace_.graph.values.size() - 1;
}

size_t ScriptTracer::new_tensor(const torch::Tensor& tensor) {
    const size_t number = new_value();
    auto& value = trace_.graph.values[number];
    value.is_tensor = true;
    value.shape = tensor.sizes().vec();
    value.type = tensor.scalar_type();
    return number;
}

/// A new value with this content; containers get their elements.
size_t ScriptTracer::record(const c10::IValue& content) {
    if (content.isTensor() && content.toTensor().defined()) {
        const size_t number = new_tensor(content.toTensor());
        if (content.toTensor().dim() == 0 && !content.toTensor().is_meta())
            trace_.graph.values[number].constant = content;
        return number;
    }
    const size_t number = new_value();
    std::vector<size_t> elements;
    for (const auto& element : elements_of(content)) elements.push_back(record(element));
    trace_.graph.values[number].elements = std::move(elements);
    if (content.isScalar() || content.isString() || content.isIntList() || content.isDoubleList())
        trace_.graph.values[number].constant = content;
    return number;
}

/// The value if it is a tensor, and the tensors in it.
void ScriptTracer::add_tensors(size_t number, std::vector<size_t>& tensors) const {
    const auto& value = trace_.graph.values[number];
    if (value.is_tensor) tensors.push_back(number);
    for (const size_t element : value.elements) add_tensors(element, tensors);
}

std::vector<size_t> ScriptTracer::numbers(at::ArrayRef<jit::Value*> values) const {
    std::vector<size_t> result;
    for (const auto* value : values) result.push_back(slots_.at(value).number);
    return result;
}

void ScriptTracer::run_block(const jit::Block& block) {
    for (auto* node : const_cast<jit::Block&>(block).nodes()) run_node(*node);
}

void ScriptTracer::run_node(jit::Node& node) {
    const auto kind = node.kind();
    if (kind == c10::prim::Constant) return run_constant(node);
    if (kind == c10::prim::GetAttr) return run_attribute(node);
    if (kind == c10::prim::If) return run_if(node);
    if (kind == c10::prim::Loop) return run_loop(node);
    const auto& op = operator_of(kind.toQualString());
    if (kind == c10::prim::unchecked_cast || kind == c10::prim::unchecked_unwrap_optional ||
        op.tracing == Tracing::passes)
        return pass(node.output(), node.input());
    if (!run_container(node, op)) run_operator(node, op);
}

void ScriptTracer::run_constant(jit::Node& node) {
    auto content = jit::toIValue(node.output()).value_or(c10::IValue());
    const bool is_tensor = content.isTensor() && content.toTensor().defined();
    const size_t number = is_tensor ? new_tensor(content.toTensor()) : new_value();
    auto& value = trace_.graph.values[number];
    value.constant = content;
    if (is_tensor) trace_.constants[number] = node.output();
    if (content.isTensorList())
        for (const auto& tensor : content.toTensorVector()) {
            const size_t element = new_tensor(tensor);
            trace_.graph.values[number].elements.push_back(element);
        }
    // Numbers stay what they are; large tensors need no content to have a shape.
    if (is_tensor && content.toTensor().is_floating_point() && content.toTensor().dim() > 0)
        content = content_for_run(content.toTensor());
    set(node.output(), std::move(content), number);
}

void ScriptTracer::run_attribute(const jit::Node& node) {
    const auto object = slots_.at(node.input()).content.toObject();
    auto content = object->getAttr(node.s(c10::attr::name));
    if (!content.isTensor() || !content.toTensor().defined())
        return set(node.output(), content, record(content));
    const auto tensor = content.toTensor();
    const auto found = stored_.find(tensor.unsafeGetTensorImpl());
    const size_t number = found == stored_.end() ? new_tensor(tensor) : found->second;
    const bool keep = c10::isIntegralType(tensor.scalar_type(), true) || tensor.dim() == 0;
    set(node.output(), keep ? c10::IValue(tensor) : c10::IValue(content_for_run(tensor)), number);
}

void ScriptTracer::run_if(jit::Node& node) {
    trace_.decisions.emplace_back(&node, 0, slots_.at(node.input()).number);
    const auto& condition = slots_.at(node.input()).content;
    const auto* branch = node.blocks()[condition.toBool() ? 0 : 1];
    run_block(*branch);
    for (size_t i = 0; i < node.outputs().size(); ++i) pass(node.outputs()[i], branch->outputs()[i]);
}

/// prim::Loop(trip count, condition, carried values...); its block gets the iteration's number and the
/// carried values.
void ScriptTracer::run_loop(jit::Node& node) {
    for (const size_t argument : {0, 1})
        trace_.decisions.emplace_back(&node, argument, slots_.at(node.inputs()[argument]).number);
    const int64_t trips = slots_.at(node.inputs()[0]).content.toInt();
    bool goes_on = slots_.at(node.inputs()[1]).content.toBool();
    std::vector<Slot> carried;
    for (size_t i = 2; i < node.inputs().size(); ++i) carried.push_back(slots_.at(node.inputs()[i]));
    const auto& body = *node.blocks()[0];
    for (int64_t trip = 0; trip < trips && goes_on; ++trip) {
        set(body.inputs()[0], trip, record(trip));
        for (size_t i = 0; i < carried.size(); ++i) slots_[body.inputs()[i + 1]] = carried[i];
        run_block(body);
        goes_on = slots_.at(body.outputs()[0]).content.toBool();
        for (size_t i = 0; i < carried.size(); ++i) carried[i] = slots_.at(body.outputs()[i + 1]);
    }
    for (size_t i = 0; i < carried.size(); ++i) slots_[node.outputs()[i]] = carried[i];
}

/// Lists, tuples and dictionaries keep track of their elements; true when the node was one of theirs.
bool ScriptTracer::run_container(jit::Node& node, const Operator& op) {
    const auto kind = node.kind();
    if (kind == c10::prim::ListUnpack || kind == c10::prim::TupleUnpack) {
        const auto& from = slots_.at(node.input());
        const auto elements = trace_.graph.values[from.number].elements;
        if (elements.size() != node.outputs().size()) return false;
        const auto contents = from.content.isTuple() ? from.content.toTupleRef().elements().vec()
                                                     : from.content.toListRef().vec();
        for (size_t i = 0; i < elements.size(); ++i) set(node.outputs()[i], contents[i], elements[i]);
        return true;
    }
    const bool is_index = kind == c10::prim::TupleIndex || op.on_list == OnList::takes_element;
    if (is_index && slots_.at(node.inputs()[1]).content.isInt()) {
        const auto& from = slots_.at(node.inputs()[0]);
        const auto elements = trace_.graph.values[from.number].elements;
        if (elements.empty() || !(from.content.isTuple() || from.content.isList())) return false;
        int64_t at = slots_.at(node.inputs()[1]).content.toInt();
        if (at < 0) at += static_cast<int64_t>(elements.size());
        if (at < 0 || at >= static_cast<int64_t>(elements.size())) return false;
        const auto content = from.content.isTuple() ? from.content.toTupleRef().elements()[at]
                                                    : c10::IValue(from.content.toListRef()[at]);
        set(node.output(), content, elements[at]);
        return true;
    }
    const bool is_list = kind == c10::prim::ListConstruct || kind == c10::prim::TupleConstruct ||
                         kind == c10::prim::DictConstruct;
    if (!is_list) return false;
    std::vector<c10::IValue> contents;
    for (const auto* input : node.inputs()) contents.push_back(slots_.at(input).content);
    const size_t number = new_value();
    trace_.graph.values[number].elements = numbers(node.inputs());
    set(node.output(), container(node, contents), number);
    return true;
}

void ScriptTracer::run_operator(jit::Node& node, const Operator& op) {
    jit::Stack stack;
    for (const auto* input : node.inputs()) stack.push_back(slots_.at(input).content);
    if (acts_on_list(node, op)) return run_list_operator(node, op, stack);
    try {
        if (observer_)
            node.getOperation()(stack);
        else
            shapes_.run(node, op, stack);
    } catch (const std::exception& error) {
        const std::string text = error.what();
        throw Error("TorchScript network", node.kind().toQualString(),
                    "an operator that runs on these inputs", text.substr(0, text.find('\n')));
    }
    for (size_t i = 0; i < node.outputs().size(); ++i) set(node.outputs()[i], stack[i], record(stack[i]));
    if (node.outputs().empty()) return;
    if (op.tracing == Tracing::makes_literal) {
        // A tensor of numbers that stand in the code is a constant of it.
        const size_t number = slots_.at(node.output()).number;
        trace_.graph.values[number].constant = stack[0];
        trace_.constants[number] = node.output();
        return;
    }
    if (node.outputs().size() == 1) note_sizes(node, op, slots_.at(node.output()).number);
    trace_.graph.nodes.emplace_back(node.kind().toQualString(), numbers(node.inputs()),
                                    numbers(node.outputs()));
    trace_.nodes.push_back(&node);
    if (observer_) observer_(trace_.nodes.size() - 1, stack);
}

/// Operators on lists hand out and rearrange values that are known already.
void ScriptTracer::run_list_operator(jit::Node& node, const Operator& op, jit::Stack& stack) {
    std::unordered_map<const c10::TensorImpl*, size_t> known;
    std::vector<std::pair<c10::IValue, size_t>> lists;
    for (const auto* input : node.inputs()) {
        const auto& slot = slots_.at(input);
        if (slot.content.isTensor()) known[slot.content.toTensor().unsafeGetTensorImpl()] = slot.number;
        if (!slot.content.isTensorList()) continue;
        const auto tensors = slot.content.toTensorVector();
        const auto& elements = trace_.graph.values[slot.number].elements;
        for (size_t i = 0; i < tensors.size() && i < elements.size(); ++i)
            known[tensors[i].unsafeGetTensorImpl()] = elements[i];
        lists.emplace_back(slot.content, slot.number);
    }
    node.getOperation()(stack);
    const auto number_of = [&](const torch::Tensor& tensor) {
        const auto found = known.find(tensor.unsafeGetTensorImpl());
        return found == known.end() ? new_tensor(tensor) : found->second;
    };
    const auto elements_of = [&](const c10::IValue& list) {
        std::vector<size_t> elements;
        for (const auto& tensor : list.toTensorVector()) elements.push_back(number_of(tensor));
        return elements;
    };
    for (const auto& [list, number] : lists) trace_.graph.values[number].elements = elements_of(list);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
        const auto& content = stack[i];
        size_t number = 0;
        if (content.isTensor()) {
            number = number_of(content.toTensor());
        } else if (content.isTensorList()) {
            auto elements = elements_of(content);
            number = new_value();
            trace_.graph.values[number].elements = std::move(elements);
        } else {
            number = record(content);
            const bool is_sum = std::all_of(node.inputs().begin(), node.inputs().end(),
                                            [&](const auto* v) { return slots_.at(v).content.isIntList(); });
            if (content.isIntList() && (op.on_list == OnList::takes_part || is_sum)) take_sizes(node, number);
        }
        set(node.outputs()[i], content, number);
    }
}

/// Part of a list of sizes, list[start:end:step], and a sum of two know what their numbers depend on: the
/// operator runs on the numbers of the values instead.
void ScriptTracer::take_sizes(jit::Node& node, size_t to) {
    jit::Stack stack;
    for (const auto* input : node.inputs()) {
        const auto& slot = slots_.at(input);
        if (!slot.content.isIntList()) {
            stack.push_back(slot.content);
            continue;
        }
        auto elements = trace_.graph.values[slot.number].elements;
        if (elements.empty())
            for (const int64_t number : slot.content.toIntVector()) elements.push_back(record(number));
        c10::List<int64_t> numbers;
        for (const size_t element : elements) numbers.push_back(static_cast<int64_t>(element));
        stack.emplace_back(numbers);
    }
    node.getOperation()(stack);
    std::vector<size_t> taken;
    for (const int64_t number : stack[0].toIntVector()) taken.push_back(static_cast<size_t>(number));
    trace_.graph.values[to].elements = std::move(taken);
}

/// What a number that is computed from sizes depends on. Lists of sizes get an element per axis.
void ScriptTracer::note_sizes(jit::Node& node, const Operator& op, size_t output) {
    auto& values = trace_.graph.values;
    const auto& content = slots_.at(node.outputs()[0]).content;
    const bool is_number = content.isScalar() || (content.isTensor() && content.toTensor().dim() == 0 &&
                                                  !content.toTensor().is_meta());
    if (op.tracing == Tracing::reads_sizes) {
        const size_t of = slots_.at(node.inputs()[0]).number;
        const auto rank = values[of].shape.size();
        if (content.isIntList()) {
            std::vector<size_t> elements;
            for (size_t axis = 0; axis < rank; ++axis) {
                elements.push_back(record(content.toIntVector()[axis]));
                trace_.computed_from[elements.back()] = {{of, axis}};
            }
            values[output].elements = std::move(elements);
        } else if (node.inputs().size() > 1) {
            const int64_t axis = slots_.at(node.inputs()[1]).content.toInt();
            trace_.computed_from[output] = {
                {of, static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis)}};
        } else {
            for (size_t axis = 0; axis < rank; ++axis) trace_.computed_from[output].emplace_back(of, axis);
        }
        return;
    }
    if (!is_number) return;
    auto& from = trace_.computed_from[output];
    const auto add = [&](size_t value) {
        const auto& more = trace_.computed_from[value];
        from.insert(from.end(), more.begin(), more.end());
    };
    for (const size_t input : numbers(node.inputs())) {
        add(input);
        for (const size_t element : values[input].elements) add(element);
    }
}

void flatten(const c10::IValue& output, std::vector<torch::Tensor>& tensors) {
    if (output.isTensor()) {
        tensors.push_back(output.toTensor());
    } else if (output.isTuple()) {
        for (const auto& element : output.toTupleRef().elements()) flatten(element, tensors);
    } else if (output.isList()) {
        for (const auto& element : output.toListRef()) flatten(element, tensors);
    } else if (output.isGenericDict()) {
        for (const auto& item : output.toGenericDict()) flatten(item.value(), tensors);
    } else if (!output.isNone() && !output.isScalar() && !output.isString()) {
        throw Error("TorchScript network", "output", "tensors in tuples, lists or dictionaries",
                    output.tagKind());
    }
}

}  // namespace

ScriptTrace trace_computed(const jit::Module& module, const std::vector<c10::IValue>& inputs,
                           const NodeObserver& observer) {
    const torch::NoGradGuard no_grad;
    forward_schema(module);
    ScriptTrace result;
    result.code = module.get_method("forward").graph()->copy();
    jit::Inline(*result.code);
    ScriptTracer(module, result, observer).run(inputs);
    return result;
}

ScriptTrace trace(const jit::Module& module, const std::vector<c10::IValue>& inputs) {
    return trace_computed(module, inputs, {});
}

std::vector<torch::Tensor> flatten_outputs(const c10::IValue& output) {
    std::vector<torch::Tensor> tensors;
    flatten(output, tensors);
    return tensors;
}

}  // namespace mtlprune
