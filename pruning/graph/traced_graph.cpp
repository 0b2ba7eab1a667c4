#include "pruning/graph/traced_graph.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/utils.h>

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/torch_message.h"
#include "models/eval_mode.h"

namespace mtlprune {
namespace {

struct NamedTensor {
    std::string name;
    torch::Tensor tensor;
    bool is_buffer;
};

std::vector<NamedTensor> named_tensors_of(const torch::nn::Module& module) {
    std::vector<NamedTensor> stored;
    std::unordered_set<const c10::TensorImpl*> seen;
    const auto add = [&](const auto& items, bool is_buffer) {
        for (const auto& item : items)
            if (seen.insert(item.value().unsafeGetTensorImpl()).second)
                stored.push_back({item.key(), item.value(), is_buffer});
    };
    add(module.named_parameters(), false);
    add(module.named_buffers(), true);
    return stored;
}

/// Tensors, and the tensors in lists.
std::vector<size_t> tensors_among(const std::vector<TracedValue>& values,
                                  const std::vector<size_t>& numbers) {
    std::vector<size_t> tensors;
    for (const size_t number : numbers) {
        if (values[number].is_tensor) tensors.push_back(number);
        for (const size_t element : values[number].elements)
            if (values[element].is_tensor) tensors.push_back(element);
    }
    return tensors;
}

/// The tracer without its clean-up at the end, which drops operators that no output depends on: the module
/// runs them all the same, so their weights must keep fitting.
class Recording {
  public:
    Recording() : state_(std::make_shared<torch::jit::tracer::TracingState>()) {
        state_->lookup_var_name_fn = [](const torch::Tensor&) { return std::string(); };
        torch::jit::tracer::setTracingState(state_);
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording() { torch::jit::tracer::setTracingState(nullptr); }

    void add_input(const torch::Tensor& tensor) {
        auto* value = state_->graph->addInput();
        value->inferTypeFrom(tensor);
        state_->setValue(tensor, value);
    }
    std::shared_ptr<torch::jit::Graph> end(const std::vector<torch::Tensor>& outputs) {
        for (size_t i = 0; i < outputs.size(); ++i)
            state_->graph->registerOutput(state_->getOutput(outputs[i], i));
        return state_->graph;
    }

  private:
    std::shared_ptr<torch::jit::tracer::TracingState> state_;
};

/// Copies the tracer's graph: constants and lists become properties of values, all other nodes stay.
class GraphReader {
  public:
    explicit GraphReader(const torch::jit::Graph& graph) : graph_(graph) {}

    TracedGraph read(size_t input_count, const std::vector<NamedTensor>& stored) {
        for (size_t i = 0; i < graph_.inputs().size(); ++i) {
            const size_t value = number(graph_.inputs()[i]);
            if (i < input_count)
                result_.inputs.push_back(value);
            else
                result_.stored.push_back(stored_tensor(stored[i - input_count].name, value,
                                                       stored[i - input_count].tensor,
                                                       stored[i - input_count].is_buffer));
        }
        for (const auto* node : graph_.nodes()) read_node(*node);
        for (const auto* value : graph_.outputs()) result_.outputs.push_back(number(value));
        return std::move(result_);
    }

  private:
    void read_node(const torch::jit::Node& node) {
        const std::string kind = node.kind().toQualString();
        if (kind == "prim::Constant") {
            set_constant(result_.values[number(node.output())], torch::jit::toIValue(node.output()).value());
        } else if (kind == "prim::ListConstruct" || kind == "prim::TupleConstruct") {
            auto elements = numbers(node.inputs());
            result_.values[number(node.output())].elements = std::move(elements);
        } else if (kind == "prim::ListUnpack" || kind == "prim::TupleUnpack") {
            unpack(number(node.input()), numbers(node.outputs()));
        } else {
            auto inputs = numbers(node.inputs());
            result_.nodes.emplace_back(kind, std::move(inputs), numbers(node.outputs()));
        }
    }

    /// The unpacked values are the list's elements; those of a list that was built here are known already.
    void unpack(size_t list, const std::vector<size_t>& unpacked) {
        if (result_.values[list].elements.empty())
            result_.values[list].elements = unpacked;
        else
            result_.nodes.emplace_back("prim::ListUnpack", result_.values[list].elements, unpacked);
    }

    static void set_constant(TracedValue& value, c10::IValue constant) {
        if (constant.isTensor())
            set_tensor(value, constant.toTensor().sizes().vec(), constant.toTensor().scalar_type());
        value.constant = std::move(constant);
    }

    static void set_tensor(TracedValue& value, std::vector<int64_t> shape, c10::ScalarType type) {
        value.is_tensor = true;
        value.shape = std::move(shape);
        value.type = type;
    }

    size_t number(const torch::jit::Value* value) {
        const auto [it, is_new] = numbers_.emplace(value, result_.values.size());
        if (!is_new) return it->second;
        auto& traced = result_.values.emplace_back();
        if (const auto type = value->type()->cast<c10::TensorType>()) {
            const auto sizes = type->sizes().concrete_sizes();
            if (sizes && type->scalarType()) set_tensor(traced, *sizes, *type->scalarType());
        }
        return it->second;
    }

    std::vector<size_t> numbers(at::ArrayRef<const torch::jit::Value*> values) {
        std::vector<size_t> result;
        for (const auto* value : values) result.push_back(number(value));
        return result;
    }

    const torch::jit::Graph& graph_;
    TracedGraph result_;
    std::unordered_map<const torch::jit::Value*, size_t> numbers_;
};

}  // namespace

std::vector<size_t> TracedGraph::tensor_inputs(const TracedNode& node) const {
    return tensors_among(values, node.inputs);
}

std::vector<size_t> TracedGraph::tensor_outputs(const TracedNode& node) const {
    return tensors_among(values, node.outputs);
}

int64_t TracedGraph::integer(size_t value, int64_t fallback) const {
    const auto& constant = values[value].constant;
    if (constant && constant->isInt()) return constant->toInt();
    if (constant && constant->isBool()) return constant->toBool() ? 1 : 0;
    return fallback;
}

std::optional<std::vector<int64_t>> TracedGraph::tensor_content(size_t value) const {
    const auto& constant = values[value].constant;
    if (!constant || !constant->isTensor()) return std::nullopt;
    const auto& tensor = constant->toTensor();
    if (tensor.dim() != 1 || tensor.is_meta() || !c10::isIntegralType(tensor.scalar_type(), false))
        return std::nullopt;
    const auto content = tensor.to(torch::kCPU, torch::kInt64).contiguous();
    return std::vector<int64_t>(content.data_ptr<int64_t>(), content.data_ptr<int64_t>() + content.numel());
}

std::optional<double> TracedGraph::number(size_t value) const {
    const auto& constant = values[value].constant;
    if (constant && constant->isScalar()) return constant->toScalar().to<double>();
    return std::nullopt;
}

std::optional<std::vector<int64_t>> TracedGraph::integers(size_t value) const {
    const auto& traced = values[value];
    if (traced.constant && traced.constant->isIntList()) return traced.constant->toIntVector();
    if (traced.constant && traced.constant->isInt()) return std::vector<int64_t>{traced.constant->toInt()};
    if (traced.constant || traced.is_tensor) return std::nullopt;
    std::vector<int64_t> result;
    for (const size_t element : traced.elements) {
        const auto& constant = values[element].constant;
        if (!constant || !constant->isInt()) return std::nullopt;
        result.push_back(constant->toInt());
    }
    return result;
}

ValueUses::ValueUses(const TracedGraph& graph)
    : maker(graph.values.size(), kNobody), readers(graph.values.size()) {
    for (size_t node = 0; node < graph.nodes.size(); ++node) {
        for (const size_t output : graph.tensor_outputs(graph.nodes[node])) maker[output] = node;
        for (const size_t input : graph.tensor_inputs(graph.nodes[node]))
            if (readers[input].empty() || readers[input].back() != node) readers[input].push_back(node);
    }
}

StoredTensor stored_tensor(const std::string& name, size_t value, const torch::Tensor& tensor,
                           bool is_buffer) {
    StoredTensor stored{name, value, is_buffer};
    if (!is_buffer || !tensor.is_cpu() || !tensor.is_contiguous()) return stored;
    const auto* bytes = static_cast<const char*>(tensor.data_ptr());
    stored.is_zero = std::all_of(bytes, bytes + tensor.nbytes(), [](char byte) { return byte == 0; });
    return stored;
}

TracedGraph trace(torch::nn::Module& module, const TracedFunction& forward,
                  std::vector<torch::Tensor> inputs) {
    const auto stored = named_tensors_of(module);
    const torch::NoGradGuard no_grad;
    const EvalMode eval_mode(module);
    for (auto& input : inputs) {
        // A tensor of its own, so that the caller may pass one tensor twice.
        input = (stored.empty() ? input : input.to(stored.front().tensor.device())).alias();
    }
    try {
        Recording recording;
        for (const auto& input : inputs) recording.add_input(input);
        // The tracer recognises tensors by identity: listed as inputs, the module's own tensors become named
        // values.
        for (const auto& item : stored) recording.add_input(item.tensor);
        const auto outputs = forward(inputs);
        return GraphReader(*recording.end(outputs)).read(inputs.size(), stored);
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {
        throw Error("trace", "forward pass of " + module.name(), "operators that the tracer can record",
                    torch_message(error));
    }
}

std::string module_of(const std::string& tensor) {
    const auto dot = tensor.rfind('.');
    return dot == std::string::npos ? tensor : tensor.substr(0, dot);
}

}  // namespace mtlprune
