#include "pruning/surgery/verification.h"

#include <fmt/format.h>
#include <torch/jit.h>
#include <torch/utils.h>

#include <limits>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "pruning/coupling/label_propagation.h"
#include "pruning/graph/script_network.h"
#include "pruning/surgery/code_edits.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

/// Statistics over the entries where `mask` is 1, written out; x, mask [..., C, ...] of one rank.
constexpr const char* kMaskedNorms = R"(
def layer_norm(x, mask, axes: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float):
    count = mask.sum(axes, True)
    x = x - (x * mask).sum(axes, True) / count
    x = x / torch.sqrt((x * x * mask).sum(axes, True) / count + eps)
    if weight is not None:
        x = x * weight
    if bias is not None:
        x = x + bias
    return x * mask

def rms_norm(x, mask, axes: List[int], weight: Optional[Tensor], eps: Optional[float]):
    smallest = 1.1920928955078125e-07 if x.dtype == 6 else 2.220446049250313e-16
    least = eps if eps is not None else smallest
    x = x / torch.sqrt((x * x * mask).sum(axes, True) / mask.sum(axes, True) + least)
    if weight is not None:
        x = x * weight
    return x * mask

def mean(x, mask, axes: List[int], keepdim: bool):
    return (x * mask).sum(axes, keepdim) / mask.sum(axes, keepdim)

def group_norm(x, mask, groups: int, weight: Optional[Tensor], bias: Optional[Tensor], eps: float):
    shape = x.shape
    g = x.reshape([x.size(0), groups, x.size(1) // groups, -1])
    m = mask.reshape([1, groups, x.size(1) // groups, 1]).expand_as(g)
    count = m.sum([2, 3], True)
    g = g - (g * m).sum([2, 3], True) / count
    g = (g / torch.sqrt((g * g * m).sum([2, 3], True) / count + eps)).reshape(shape)
    wide = [1, -1] + [1] * (len(shape) - 2)
    if weight is not None:
        g = g * weight.view(wide)
    if bias is not None:
        g = g + bias.view(wide)
    return g * mask

def batch_norm(x, mask, axes: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float):
    count = mask.sum(axes, True)
    x = x - (x * mask).sum(axes, True) / count
    x = x / torch.sqrt((x * x * mask).sum(axes, True) / count + eps)
    wide = [1, -1] + [1] * (x.dim() - 2)
    if weight is not None:
        x = x * weight.view(wide)
    if bias is not None:
        x = x + bias.view(wide)
    return x * mask
)";

/// 1 where a channel stays along `axis`, of the rank of the value and size 1 elsewhere.
torch::Tensor mask_along(const Coupling& coupling, const KeptChannels& kept, size_t value, size_t axis) {
    const auto& traced = coupling.graph.values[value];
    std::vector<int64_t> shape(traced.shape.size(), 1);
    shape[axis] = traced.shape[axis];
    const auto stays = kept.indices(value, axis);
    if (stays.empty()) return torch::ones(shape, traced.type);
    auto mask = torch::zeros({traced.shape[axis]}, traced.type);
    mask.index_fill_(0, torch::tensor(stays, torch::kInt64), 1);
    return mask.reshape(shape);
}

/// A norm across channels: the axes that its statistics run over (of group norm: the one that has groups) and
/// the arguments that its masked form takes besides x, the mask and the axes.
struct CrossNorm {
    std::string name;
    std::vector<int64_t> axes;
    std::vector<size_t> arguments;
};

std::vector<int64_t> last_axes(int64_t rank, int64_t count) {
    std::vector<int64_t> axes(count);
    std::iota(axes.begin(), axes.end(), rank - count);
    return axes;
}

std::optional<CrossNorm> cross_norm(const TracedGraph& graph, const TracedNode& node) {
    if (node.kind == "aten::group_norm") return CrossNorm{"group_norm", {1}, {1, 2, 3, 4}};
    const auto rank = [&] { return static_cast<int64_t>(graph.values[node.inputs[0]].shape.size()); };
    const auto listed = [&] { return graph.integers(node.inputs[1]).value_or(std::vector<int64_t>()); };
    const auto normalised = [&] { return last_axes(rank(), static_cast<int64_t>(listed().size())); };
    if (node.kind == "aten::layer_norm") return CrossNorm{"layer_norm", normalised(), {2, 3, 4}};
    if (node.kind == "aten::rms_norm") return CrossNorm{"rms_norm", normalised(), {2, 3}};
    if (node.kind == "aten::mean" && node.inputs.size() > 2) {
        auto axes = listed();
        for (auto& axis : axes) axis = axis < 0 ? axis + rank() : axis;
        return CrossNorm{"mean", std::move(axes), {2}};
    }
    if (node.kind != "aten::batch_norm" || !computes_statistics(graph, node)) return std::nullopt;
    auto axes = last_axes(rank(), rank());
    axes.erase(axes.begin() + 1);
    return CrossNorm{"batch_norm", std::move(axes), {1, 2, 7}};
}

void mask_norm(const Coupling& coupling, const KeptChannels& kept, size_t i,
               const jit::CompilationUnit& masked) {
    const auto& node = coupling.graph.nodes[i];
    const auto norm = cross_norm(coupling.graph, node);
    if (!norm) return;
    const size_t value = node.inputs[0];
    const auto& traced = coupling.graph.values[value];
    auto mask = torch::ones({1}, traced.type);
    std::vector<int64_t> shape(traced.shape.size(), 1);
    bool changes = false;
    for (const int64_t axis : norm->axes) {
        mask = mask * mask_along(coupling, kept, value, axis);
        shape[axis] = traced.shape[axis];
        changes = changes || kept.changes(value, axis);
    }
    if (!changes) return;
    auto* code = coupling.script->nodes[i];
    auto& graph = *code->owningGraph();
    const jit::WithInsertPoint here(code);
    std::vector<jit::Value*> inputs = {code->input(0), graph.insertConstant(mask.expand(shape).contiguous())};
    if (norm->name != "group_norm") inputs.push_back(graph.insertConstant(norm->axes));
    for (const size_t argument : norm->arguments) inputs.push_back(code->input(argument));
    const auto& function = masked.get_function(norm->name);
    const auto outputs = jit::insertGraph(graph, *jit::toGraphFunction(function).graph(), inputs);
    code->output()->replaceAllUsesWith(outputs.at(0));
}

/// The original with zeros, its norms across channels computed over the channels that stay.
void zero_and_mask(jit::Module& original, const Coupling& coupling, const KeptChannels& kept,
                   const Plan& plan) {
    zero_removed(original, plan);
    const auto masked = jit::compile(kMaskedNorms);
    for (size_t i = 0; i < coupling.graph.nodes.size(); ++i) mask_norm(coupling, kept, i, *masked);
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
                            const KeptChannels& kept, const std::vector<torch::Tensor>& inputs) {
    std::vector<torch::Tensor> expected;
    std::vector<size_t> values;
    const auto reference = trace_computed(original, inputs, [&](size_t, const jit::Stack& results) {
        expected.push_back(!results.empty() && results[0].isTensor() ? results[0].toTensor()
                                                                     : torch::Tensor());
    });
    std::string difference;
    try {
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
    } catch (const Error& error) {
        return error.what();
    }
    return difference.empty() ? "one of the outputs" : difference;
}

std::vector<c10::IValue> arguments(const std::vector<torch::Tensor>& inputs) {
    return {inputs.begin(), inputs.end()};
}

std::vector<torch::Tensor> run(jit::Module& module, const std::vector<torch::Tensor>& inputs) {
    try {
        return flatten_outputs(module.forward(arguments(inputs)));
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        throw Error("TorchScript network", "forward", "a network that runs on these inputs",
                    text.substr(0, text.find('\n')));
    }
}

double largest_error(jit::Module pruned, const std::vector<torch::Tensor>& inputs,
                     const std::vector<torch::Tensor>& expected, const Coupling& coupling,
                     const KeptChannels& kept) {
    try {
        const auto found = flatten_outputs(pruned.forward(arguments(inputs)));
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
                       const KeptChannels& kept, const std::vector<torch::Tensor>& inputs) {
    try {
        auto exact = original.deepcopy(), found = pruned.deepcopy();
        exact.to(torch::kFloat64);
        found.to(torch::kFloat64);
        const auto expected = run(exact, in_double(inputs));
        return largest_error(found, in_double(inputs), expected, coupling, kept);
    } catch (const std::exception&) {
        return std::numeric_limits<double>::infinity();
    }
}

}  // namespace

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

std::vector<torch::Tensor> in_double(std::vector<torch::Tensor> tensors) {
    for (auto& tensor : tensors)
        if (tensor.is_floating_point()) tensor = tensor.to(torch::kFloat64);
    return tensors;
}

Verification verify(jit::Module& original, const jit::Module& pruned, const Plan& plan,
                    const std::vector<torch::Tensor>& inputs, const CouplingOptions& options) {
    const torch::NoGradGuard no_grad;
    const auto coupling = couple(original, inputs, options);
    const KeptChannels kept(coupling, plan);
    zero_and_mask(original, coupling, kept, plan);
    const auto expected = run(original, inputs);
    Verification result;
    result.error = largest_error(pruned, inputs, expected, coupling, kept);
    if (result.error <= verification_tolerance(expected.at(0))) return result;
    const double exact = error_in_double(original, pruned, coupling, kept, inputs);
    if (exact <= verification_tolerance(in_double(expected).at(0)))
        result.error = exact;
    else
        result.first_difference = find_difference(original, pruned, coupling, kept, inputs);
    return result;
}

}  // namespace mtlprune
