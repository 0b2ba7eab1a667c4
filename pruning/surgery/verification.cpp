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

double largest_error(const std::vector<torch::Tensor>& found, const std::vector<torch::Tensor>& expected,
                     const Coupling& coupling, const KeptChannels& kept) {
    if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
    double error = 0;
    for (size_t i = 0; i < found.size(); ++i)
        error = std::max(error,
                         relative_error(found[i], kept_part(expected[i], kept, coupling.graph.outputs[i])));
    return error;
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
        auto exact = in_precision(original, torch::kFloat64), found = in_precision(pruned, torch::kFloat64);
        const auto exact_inputs = inputs_in(torch::kFloat64, inputs);
        return largest_error(run(found, exact_inputs), run(exact, exact_inputs), coupling, kept);
    } catch (const std::exception&) {
        return std::numeric_limits<double>::infinity();
    }
}

/// Both networks on the same inputs.
struct Comparison {
    bool original_runs = false;  ///< and gives numbers
    std::string failure;         ///< of the pruned network; empty when it runs
    double error = 0;            ///< in float64 where float32 exceeds the tolerance
    bool is_right = false;
};

Comparison compare(jit::Module& original, jit::Module pruned, const Coupling& coupling,
                   const KeptChannels& kept, const std::vector<c10::IValue>& inputs,
                   const std::vector<torch::Tensor>& expected) {
    Comparison result{.original_runs = true};
    try {
        result.error = largest_error(run(pruned, inputs), expected, coupling, kept);
    } catch (const std::exception& error) {
        result.error = std::numeric_limits<double>::infinity();
        result.failure = torch_message(error);
        return result;
    }
    const auto& first = expected.at(0);
    result.is_right = result.error <= verification_tolerance(first);
    if (result.is_right) return result;
    const double exact = error_in_double(original, pruned, coupling, kept, inputs);
    result.is_right = exact <= verification_tolerance(in_double(first));
    if (result.is_right) result.error = exact;
    return result;
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
        const auto there = couple(original, with_sizes(inputs, tried), options);
        const bool alike = leave_alike(coupling.groups, there.groups);
        if (!alike && tried.size() == 1) others.emplace(std::pair(tried[0].input, tried[0].dim), tried);
        return alike;
    });
    for (const auto& change : taken.all) others.erase({change.input, change.dim});
    for (const auto& [place, changes] : others) taken.others.push_back(changes);
    return taken;
}

/// Both networks with inputs of other sizes.
class OtherSizesCheck {
  public:
    OtherSizesCheck(jit::Module& original, const jit::Module& pruned, const Coupling& coupling,
                    const KeptChannels& kept, const std::vector<c10::IValue>& inputs, Verification& result)
        : original_(original),
          pruned_(pruned),
          coupling_(coupling),
          kept_(kept),
          inputs_(inputs),
          shapes_(tensor_shapes(inputs)),
          result_(result) {}

    /// What runs and differs is a failure, what does not run is listed: if not all at once, one by one.
    void check(const TakenSizes& taken) {
        for (const auto& changes : taken.others) list(changes, "other channels belong together there");
        if (taken.all.empty()) return;
        const auto together = compare_at(taken.all);
        if (settles(taken.all, together)) return;
        const size_t listed = result_.unconfirmed.size();
        for (const auto& change : taken.all) {
            const auto alone = taken.all.size() > 1 ? compare_at({change}) : Comparison();
            if (!settles({change}, alone) && alone.original_runs) list({change}, alone.failure);
        }
        if (together.original_runs && result_.unconfirmed.size() == listed) list(taken.all, together.failure);
    }

  private:
    Comparison compare_at(const SizeChanges& changes) {
        const auto inputs = with_sizes(inputs_, changes);
        std::vector<torch::Tensor> expected;
        try {
            expected = run(original_, inputs);
        } catch (const std::exception&) {
            return {};
        }
        return is_finite(expected) ? compare(original_, pruned_, coupling_, kept_, inputs, expected)
                                   : Comparison();
    }

    /// Both ran.
    bool settles(const SizeChanges& changes, const Comparison& comparison) {
        if (!comparison.original_runs || !comparison.failure.empty()) return false;
        if (comparison.is_right) {
            result_.other_sizes.insert(result_.other_sizes.end(), changes.begin(), changes.end());
        } else {
            result_.error = comparison.error;
            result_.first_difference = "other sizes (" + describe(shapes_, changes) + ")";
        }
        return true;
    }

    void list(const SizeChanges& changes, const std::string& why) {
        result_.unconfirmed.push_back(describe(shapes_, changes) + ": " + why);
    }

    jit::Module& original_;
    const jit::Module& pruned_;
    const Coupling& coupling_;
    const KeptChannels& kept_;
    const std::vector<c10::IValue>& inputs_;
    std::vector<std::vector<int64_t>> shapes_;
    Verification& result_;
};

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
    const auto comparison = compare(original, pruned, coupling, kept, inputs, expected);
    Verification result;
    result.error = comparison.error;
    if (comparison.is_right) {
        OtherSizesCheck(original, pruned, coupling, kept, inputs, result).check(taken);
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
