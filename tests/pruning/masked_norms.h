// Dense normalisation over the channels that are left, inside a TorchScript module that still has all of
// them.
#pragma once

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <string>
#include <vector>

namespace mtlprune::toy {

/// A channel whose weight is zero takes no part in the statistics.
inline constexpr const char* kMaskedNorms = R"(
def layer_norm(x, weight, bias, eps: float):
    m = (weight != 0).to(x.dtype)
    axes = [-1 - i for i in range(weight.dim())]
    n = m.sum()
    x = x - (x * m).sum(axes, True) / n
    x = x / torch.sqrt((x * x * m).sum(axes, True) / n + eps)
    return x * weight + bias

def group_norm(x, groups: int, weight, bias, eps: float):
    shape = x.shape
    g = x.reshape([x.size(0), groups, x.size(1) // groups, -1])
    m = (weight != 0).to(x.dtype).view([1, groups, -1, 1])
    n = m.expand_as(g).sum([2, 3], True)
    g = g - (g * m).sum([2, 3], True) / n
    g = g / torch.sqrt((g * g * m).sum([2, 3], True) / n + eps)
    wide = [1, -1] + [1] * (len(shape) - 2)
    return g.reshape(shape) * weight.view(wide) + bias.view(wide)
)";

/// Replaces layer and group norms that have weights, in every method. Call it before the module first runs.
inline void mask_norms(const torch::jit::Module& module) {
    const auto unit = torch::jit::compile(kMaskedNorms);
    const auto replace = [&](torch::jit::Node* node, const std::string& name) {
        const bool layer = name == "layer_norm";
        std::vector<torch::jit::Value*> inputs = {node->input(0)};
        for (size_t i = layer ? 2 : 1; i <= 4; ++i) inputs.push_back(node->input(i));
        torch::jit::WithInsertPoint here(node);
        const auto outputs = torch::jit::insertGraph(
            *node->owningGraph(), *torch::jit::toGraphFunction(unit->get_function(name)).graph(), inputs);
        node->output()->replaceAllUsesWith(outputs.at(0));
        node->destroy();
    };
    for (const auto& owner : module.modules())
        for (const auto& method : owner.get_methods()) {
            std::vector<torch::jit::Node*> norms;
            for (auto* node : method.graph()->nodes())
                if (node->kind() == c10::aten::layer_norm || node->kind() == c10::aten::group_norm)
                    norms.push_back(node);
            for (auto* node : norms)
                replace(node, node->kind() == c10::aten::layer_norm ? "layer_norm" : "group_norm");
        }
}

}  // namespace mtlprune::toy
