#include "pruning/surgery/verification.h"

#include <fmt/format.h>
#include <torch/jit.h>
#include <torch/utils.h>

#include <limits>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "pruning/graph/script_inputs.h"
#include "pruning/graph/script_network.h"
#include "pruning/surgery/code_edits.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

/// 1 where a channel stays along `axis`, of the rank of the value and size 1 elsewhere (and there, if all
/// stay).
torch::Tensor mask_along(const Coupling& coupling, const KeptChannels& kept, size_t value, size_t axis) {
    const auto& traced = coupling.graph.values[value];
    std::vector<int64_t> shape(traced.shape.size(), 1);
    const auto stays = kept.indices(value, axis);
    if (stays.empty()) return torch::ones(shape, traced.type);
    shape[axis] = traced.shape[axis];
    auto mask = torch::zeros({traced.shape[axis]}, traced.type);
    mask.index_fill_(0, torch::tensor(stays, torch::kInt64), 1);
    return mask.reshape(shape);
}

/// Compiled masked forms, each once.
class MaskedForms {
  public:
    jit::Graph& of(const char* code) {
        auto& unit = units_[code];
        if (!unit) unit = jit::compile(code);
        return *jit::toGraphFunction(*unit->get_functions().at(0)).graph();
    }

  private:
    std::unordered_map<const char*, std::shared_ptr<jit::CompilationUnit>> units_;
};

void mask_norm(const Coupling& coupling, const KeptChannels& kept, size_t i, MaskedForms& forms) {
    const auto& node = coupling.graph.nodes[i];
    const auto norm = node.op->masked != nullptr ? node.op->masked(coupling.graph, node) : std::nullopt;
    if (!norm) return;
    const size_t value = node.inputs[0];
    const auto& traced = coupling.graph.values[value];
    auto mask = torch::ones({1}, traced.type);
    bool changes = false;
    for (const int64_t axis : norm->axes) {
        mask = mask * mask_along(coupling, kept, value, axis);
        changes = changes || kept.changes(value, axis);
    }
    if (!changes) return;
    auto* code = coupling.script->nodes[i];
    auto& graph = *code->owningGraph();
    const jit::WithInsertPoint here(code);
    std::vector<jit::Value*> inputs = {code->input(0), graph.insertConstant(mask),
                                       graph.insertConstant(norm->axes)};
    for (const size_t argument : norm->arguments) inputs.push_back(code->input(argument));
    for (const auto& constant : norm->constants) inputs.push_back(graph.insertConstant(constant));
    auto* result = jit::insertGraph(graph, forms.of(norm->code), inputs).at(0);
    const bool several = result->type()->kind() == c10::TypeKind::TupleType;
    const auto results = several ? jit::createTupleUnpack(result) : at::ArrayRef<jit::Value*>(result);
    for (size_t i = 0; i < code->outputs().size(); ++i) code->outputs()[i]->replaceAllUsesWith(results.at(i));
}

/// The original with zeros, its norms across channels computed over the channels that stay.
void zero_and_mask(jit::Module& original, const Coupling& coupling, const KeptChannels& kept,
                   const Plan& plan) {
    zero_removed(original, plan);
    MaskedForms masked;
    for (size_t i = 0; i < coupling.graph.nodes.size(); ++i) mask_norm(coupling, kept, i, masked);
    install_forward(original, coupling.script->code);
}

/// The entries of a value of the original that stay.
torch::Tensor kept_part(torch::Tensor tensor, const KeptChannels& kept, size_t value) {
    for (int64_t axis = 0; axis < tensor.dim(); ++axis)
        if (const auto stays = kept.indices(value, axis); !stays.empty())
            tensor = tensor.index_select(axis, torch::tensor(stays, torch::kInt64));
    return tensor;
}

/// Compares both networks operator by operator. Norms that were written out have other nodes: only networks
/// without them can be followed.
std::string find_difference(const jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                            const KeptChannels& kept, const std::vector<c10::IValue>& inputs) {
    std::vector<torch::Tensor> expected;
    std::vector<size_t> values;
    const auto reference = trace_computed(original, inputs, [&](size_t, const jit::Stack& results) {
        expected.push_back(!results.empty() && results[0].isTensor() ? results[0].toTensor()
                                                                     : torch::Tensor());
    });
    std::string difference;
    trace_computed(pruned, inputs, [&](size_t node, const jit::Stack& results) {
        if (!difference.empty() || node >= expected.size() || !expected[node].defined() ||
            !results[0].isTensor())
            return;
        if (node >= coupling.graph.nodes.size() ||
            reference.graph.nodes[node].kind != coupling.graph.nodes[node].kind)
            return;
        const size_t value = coupling.graph.nodes[node].outputs[0];
        const auto part = kept_part(expected[node], kept, value);
        if (relative_error(results[0].toTensor(), part) > verification_tolerance(part))
            difference = fmt::format("{} (operator {})", coupling.graph.nodes[node].kind, node);
    });
    return difference.empty() ? "one of the outputs" : difference;
}

std::vector<torch::Tensor> run(jit::Module& module, const std::vector<c10::IValue>& inputs) {
    try {
        return flatten_outputs(module.forward(forward_arguments(module, inputs)));
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        throw Error("TorchScript network", "forward", "a network that runs on these inputs",
                    text.substr(0, text.find('\n')));
    }
}

double largest_error(jit::Module pruned, const std::vector<c10::IValue>& inputs,
                     const std::vector<torch::Tensor>& expected, const Coupling& coupling,
                     const KeptChannels& kept) {
    try {
        const auto found = flatten_outputs(pruned.forward(forward_arguments(pruned, inputs)));
        if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
        double error = 0;
        for (size_t i = 0; i < found.size(); ++i)
            error = std::max(
                error, relative_error(found[i], kept_part(expected[i], kept, coupling.graph.outputs[i])));
        return error;
    } catch (const std::exception&) {
        return std::numeric_limits<double>::infinity();
    }
}

/// Deep networks with unusual weights may amplify the rounding of float32 beyond any tolerance. In float64 it
/// is a billion times smaller, what was pruned wrongly is as wrong as before.
double error_in_double(const jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                       const KeptChannels& kept, const std::vector<c10::IValue>& inputs) {
    try {
        auto exact = original.deepcopy(), found = pruned.deepcopy();
        exact.to(torch::kFloat64);
        found.to(torch::kFloat64);
        const auto exact_inputs = map_tensors(inputs, [](const torch::Tensor& x) { return in_double(x); });
        const auto expected = run(exact, exact_inputs);
        return largest_error(found, exact_inputs, expected, coupling, kept);
    } catch (const std::exception&) {
        return std::numeric_limits<double>::infinity();
    }
}

}  // namespace

std::string Verification::found() const {
    return failure.empty() ? fmt::format("a relative difference of {:.2g}", error) : failure;
}

double relative_error(const torch::Tensor& found, const torch::Tensor& expected) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    if (found.sizes() != expected.sizes()) return kInfinite;
    if (found.numel() == 0) return 0;
    const auto a = found.to(torch::kFloat64), b = expected.to(torch::kFloat64);
    const double difference = (a - b).abs().max().item<double>(), scale = b.abs().max().item<double>();
    if (!(difference < kInfinite)) return kInfinite;
    return scale > 0 ? difference / scale : difference;
}

double verification_tolerance(const torch::Tensor& tensor) {
    return tensor.scalar_type() == torch::kFloat64 ? 1e-9 : 1e-4;
}

torch::Tensor in_double(const torch::Tensor& tensor) {
    return tensor.is_floating_point() ? tensor.to(torch::kFloat64) : tensor;
}

std::vector<torch::Tensor> in_double(std::vector<torch::Tensor> tensors) {
    for (auto& tensor : tensors) tensor = in_double(tensor);
    return tensors;
}

Verification verify(jit::Module& original, const jit::Module& pruned, const Plan& plan,
                    const std::vector<c10::IValue>& inputs, const CouplingOptions& options) {
    const torch::NoGradGuard no_grad;
    const auto coupling = couple(original, inputs, options);
    const KeptChannels kept(coupling, plan);
    zero_and_mask(original, coupling, kept, plan);
    const auto expected = run(original, inputs);
    Verification result;
    result.error = largest_error(pruned, inputs, expected, coupling, kept);
    if (result.error <= verification_tolerance(expected.at(0))) return result;
    const double exact = error_in_double(original, pruned, coupling, kept, inputs);
    if (exact <= verification_tolerance(in_double(expected).at(0))) {
        result.error = exact;
        return result;
    }
    try {
        result.first_difference = find_difference(original, pruned, coupling, kept, inputs);
    } catch (const Error& error) {
        result.first_difference = "forward";
        result.failure = error.what();
    }
    return result;
}

}  // namespace mtlprune
