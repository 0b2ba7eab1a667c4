#include "pruning/coupling/verification.h"

#include <fmt/format.h>
#include <torch/jit.h>
#include <torch/utils.h>

#include <limits>

#include "datasets/error.h"
#include "pruning/coupling/code_edits.h"
#include "pruning/coupling/label_propagation.h"
#include "pruning/coupling/script_network.h"

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

void replace_norm(const Coupling& coupling, const KeptChannels& kept, size_t i,
                  const jit::CompilationUnit& masked) {
    const auto& node = coupling.graph.nodes[i];
    auto* code = coupling.script->nodes[i];
    const size_t value = node.inputs[0], rank = coupling.graph.values[value].shape.size();
    const bool layer = node.kind == "aten::layer_norm";
    const auto normalised = layer ? coupling.graph.integers(node.inputs[1]).value() : std::vector<int64_t>();
    std::vector<int64_t> axes;
    for (size_t axis = rank - normalised.size(); axis < rank && layer; ++axis)
        axes.push_back(static_cast<int64_t>(axis));
    if (!layer) axes = {1};
    auto mask = torch::ones({1}, coupling.graph.values[value].type);
    bool changes = false;
    for (const int64_t axis : axes) {
        mask = mask * mask_along(coupling, kept, value, axis);
        changes = changes || kept.changes(value, axis);
    }
    if (!changes) return;
    if (layer)
        mask = mask.expand([&] {
                       std::vector<int64_t> shape(rank, 1);
                       for (const int64_t axis : axes) shape[axis] = coupling.graph.values[value].shape[axis];
                       return shape;
                   }())
                   .contiguous();
    auto& graph = *code->owningGraph();
    const jit::WithInsertPoint here(code);
    std::vector<jit::Value*> inputs = {code->input(0), graph.insertConstant(mask)};
    if (layer)
        inputs.insert(inputs.end(),
                      {graph.insertConstant(axes), code->input(2), code->input(3), code->input(4)});
    else
        inputs.insert(inputs.end(), {code->input(1), code->input(2), code->input(3), code->input(4)});
    const auto& function = *masked.find_function(layer ? "layer_norm" : "group_norm");
    const auto outputs = jit::insertGraph(graph, *jit::toGraphFunction(function).graph(), inputs);
    code->output()->replaceAllUsesWith(outputs.at(0));
}

/// The original with zeros, its norms across channels computed over the channels that stay.
void zero_and_mask(jit::Module& original, const Coupling& coupling, const KeptChannels& kept,
                   const Plan& plan) {
    zero_removed(original, plan);
    const auto masked = jit::compile(kMaskedNorms);
    for (size_t i = 0; i < coupling.graph.nodes.size(); ++i) {
        const auto& kind = coupling.graph.nodes[i].kind;
        if (kind == "aten::layer_norm" || kind == "aten::group_norm")
            replace_norm(coupling, kept, i, *masked);
    }
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

std::vector<torch::Tensor> run(jit::Module& module, const std::vector<c10::IValue>& arguments) {
    try {
        return flatten_outputs(module.forward(arguments));
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        throw Error("TorchScript network", "forward", "a network that runs on these inputs",
                    text.substr(0, text.find('\n')));
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

Verification verify(jit::Module& original, const jit::Module& pruned, const Plan& plan,
                    const std::vector<torch::Tensor>& inputs, const CouplingOptions& options) {
    const torch::NoGradGuard no_grad;
    const auto coupling = couple(original, inputs, options);
    const KeptChannels kept(coupling, plan);
    zero_and_mask(original, coupling, kept, plan);
    const std::vector<c10::IValue> arguments(inputs.begin(), inputs.end());
    const auto expected = run(original, arguments);
    Verification result;
    try {
        auto network = pruned;
        const auto found = flatten_outputs(network.forward(arguments));
        if (found.size() != expected.size()) result.error = std::numeric_limits<double>::infinity();
        for (size_t i = 0; i < found.size() && i < expected.size(); ++i)
            result.error =
                std::max(result.error,
                         relative_error(found[i], kept_part(expected[i], kept, coupling.graph.outputs[i])));
    } catch (const std::exception&) {
        result.error = std::numeric_limits<double>::infinity();
    }
    if (result.error > verification_tolerance(expected.at(0)))
        result.first_difference = find_difference(original, pruned, coupling, kept, inputs);
    return result;
}

}  // namespace mtlprune
