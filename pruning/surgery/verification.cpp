#include "pruning/surgery/verification.h"

#include <fmt/format.h>
#include <torch/jit.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "base/torch_message.h"
#include "pruning/graph/precision.h"
#include "pruning/graph/script_inputs.h"
#include "pruning/graph/script_network.h"
#include "pruning/surgery/kept_channels.h"
#include "pruning/surgery/surgery.h"

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
    zero_removed(original, plan, buffers_with_weights(coupling.groups));
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

/// Results of operators on more than single numbers, in order of execution: surgery adds arithmetic to the
/// code, but on numbers alone.
class Results {
  public:
    NodeObserver observer() {
        return [this](size_t node, const jit::Stack& results) {
            if (!results.empty() && results[0].isTensor() && results[0].toTensor().dim() > 0)
                found.emplace_back(node, results[0].toTensor());
        };
    }
    std::vector<std::pair<size_t, torch::Tensor>> found;
};

/// Compares both networks operator by operator. Norms that were written out have other nodes: only networks
/// without them can be followed.
std::string find_difference(const jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                            const KeptChannels& kept, const std::vector<c10::IValue>& inputs) {
    Results expected, found;
    const auto reference = trace_computed(original, inputs, expected.observer());
    trace_computed(pruned, inputs, found.observer());
    const auto& nodes = coupling.graph.nodes;
    for (size_t i = 0; i < expected.found.size() && i < found.found.size(); ++i) {
        const auto& [node, value] = expected.found[i];
        if (node >= nodes.size() || reference.graph.nodes[node].kind != nodes[node].kind) continue;
        const auto part = kept_part(value, kept, nodes[node].outputs[0]);
        if (relative_error(found.found[i].second, part) > verification_tolerance(part))
            return fmt::format("{} (operator {})", nodes[node].kind, node);
    }
    return "one of the outputs";
}

std::vector<torch::Tensor> run(jit::Module& module, const std::vector<c10::IValue>& inputs) {
    try {
        return flatten_outputs(module.forward(forward_arguments(module, inputs)));
    } catch (const std::exception& error) {
        throw Error("TorchScript network", "forward", "a network that runs on these inputs",
                    torch_message(error));
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

std::vector<c10::IValue> inputs_in(c10::ScalarType type, const std::vector<c10::IValue>& inputs) {
    return map_tensors(inputs,
                       [&](const torch::Tensor& x) { return x.is_floating_point() ? x.to(type) : x; });
}

/// Deep networks with unusual weights may amplify the rounding of float32 beyond any tolerance. In float64 it
/// is a billion times smaller, what was pruned wrongly is as wrong as before.
double error_in_double(const jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                       const KeptChannels& kept, const std::vector<c10::IValue>& inputs) {
    try {
        auto exact = in_precision(original, torch::kFloat64);
        const auto exact_inputs = inputs_in(torch::kFloat64, inputs);
        const auto expected = run(exact, exact_inputs);
        return largest_error(in_precision(pruned, torch::kFloat64), exact_inputs, expected, coupling, kept);
    } catch (const std::exception&) {
        return std::numeric_limits<double>::infinity();
    }
}

/// The error, in float64 where float32 exceeds the tolerance; nothing when the outputs differ in both.
std::optional<double> small_error(jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                                  const KeptChannels& kept, const std::vector<c10::IValue>& inputs,
                                  const std::vector<torch::Tensor>& expected, double& error) {
    error = largest_error(pruned, inputs, expected, coupling, kept);
    const auto& first = expected.at(0);
    if (error <= verification_tolerance(first)) return error;
    const double exact = error_in_double(original, pruned, coupling, kept, inputs);
    return exact <= verification_tolerance(in_double(first)) ? std::optional(exact) : std::nullopt;
}

bool runs(const std::function<void()>& forward) {
    try {
        forward();
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

bool is_finite(const std::vector<torch::Tensor>& tensors) {
    return std::all_of(tensors.begin(), tensors.end(), [](const torch::Tensor& tensor) {
        return !tensor.is_floating_point() || torch::isfinite(tensor).all().item<bool>();
    });
}

/// Sizes that a network takes.
struct TakenSizes {
    SizeChanges all;
    std::vector<SizeChanges> others;  ///< at which other channels belong together
};

TakenSizes find_sizes(const jit::Module& original, const Coupling& coupling,
                      const std::vector<c10::IValue>& inputs, const CouplingOptions& options) {
    TakenSizes taken;
    std::map<std::pair<size_t, int64_t>, SizeChanges> others;
    taken.all = find_other_sizes(tensor_shapes(inputs), [&](const SizeChanges& tried) {
        try {
            const auto there = couple(original, with_sizes(inputs, tried), options);
            const bool alike = leave_alike(coupling.groups, there.groups);
            if (!alike && tried.size() == 1) others.emplace(std::pair(tried[0].input, tried[0].dim), tried);
            return alike;
        } catch (const std::exception&) {
            return false;
        }
    });
    for (const auto& change : taken.all) others.erase({change.input, change.dim});
    for (const auto& [place, changes] : others) taken.others.push_back(changes);
    return taken;
}

/// With inputs of other sizes. What does not run is listed; what runs and differs is the failure.
void check_other_sizes(jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                       const KeptChannels& kept, const std::vector<c10::IValue>& inputs,
                       const TakenSizes& taken, Verification& result) {
    const auto shapes = tensor_shapes(inputs);
    for (const auto& tried : taken.others)
        result.unconfirmed.push_back(describe(shapes, tried) + ": other channels belong together there");
    std::vector<SizeChanges> open = {taken.all};
    while (!open.empty()) {
        const auto tried = open.back();
        open.pop_back();
        if (tried.empty()) continue;
        const auto other = with_sizes(inputs, tried);
        std::vector<torch::Tensor> expected;
        const bool original_runs = runs([&] { expected = run(original, other); }) && is_finite(expected);
        jit::Module copy = pruned;
        std::string failure;
        if (original_runs) {
            try {
                run(copy, other);
            } catch (const std::exception& error) {
                failure = error.what();
            }
        }
        const bool is_alone = tried.size() == 1 || tried != taken.all;
        if (!original_runs || !failure.empty()) {
            // One after the other, to tell which.
            if (!is_alone)
                for (const auto& change : tried) open.push_back({change});
            else if (original_runs)
                result.unconfirmed.push_back(describe(shapes, tried) + ": " + failure);
            continue;
        }
        double error = 0;
        if (small_error(original, pruned, coupling, kept, other, expected, error)) {
            result.other_sizes.insert(result.other_sizes.end(), tried.begin(), tried.end());
        } else {
            result.error = error;
            result.first_difference = "other sizes (" + describe(shapes, tried) + ")";
            return;
        }
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

Verification verify(jit::Module& original, const jit::Module& saved, const Plan& plan,
                    const std::vector<c10::IValue>& given, const CouplingOptions& options) {
    const torch::NoGradGuard no_grad;
    const bool is_low = is_low_precision(original);
    if (is_low) original = in_precision(original, torch::kFloat32);
    const auto pruned = is_low ? in_precision(saved, torch::kFloat32) : saved;
    const auto inputs = is_low ? inputs_in(torch::kFloat32, given) : given;
    const auto coupling = couple(original, inputs, options);
    const KeptChannels kept(coupling, plan);
    const auto taken = find_sizes(original, coupling, inputs, options);
    zero_and_mask(original, coupling, kept, plan);
    const auto expected = run(original, inputs);
    Verification result;
    if (const auto error = small_error(original, pruned, coupling, kept, inputs, expected, result.error)) {
        result.error = *error;
        check_other_sizes(original, pruned, coupling, kept, inputs, taken, result);
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
