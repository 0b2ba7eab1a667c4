#include "pruning/graph/precision.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/utils.h>

#include "pruning/graph/script_network.h"
#include "pruning/graph/script_tensors.h"

namespace mtlprune {
namespace {

namespace jit = torch::jit;

void convert_constant(jit::Node& node, c10::ScalarType type) {
    if (!node.hasAttribute(c10::attr::value) || node.kindOf(c10::attr::value) != jit::AttributeKind::t)
        return;
    const auto& tensor = node.t(c10::attr::value);
    if (tensor.is_floating_point()) node.t_(c10::attr::value, tensor.to(type));
}

/// Arguments that name a type of real numbers name this one.
void convert_arguments(jit::Node& node, c10::ScalarType type) {
    const auto* schema = node.maybeSchema();
    if (schema == nullptr) return;
    for (size_t i = 0; i < schema->arguments().size() && i < node.inputs().size(); ++i) {
        if (schema->arguments()[i].name() != "dtype") continue;
        const auto named = jit::toIValue(node.input(i));
        if (!named || !named->isInt() || !c10::isFloatingType(named->toScalarType())) continue;
        const jit::WithInsertPoint here(&node);
        node.replaceInput(i, node.owningGraph()->insertConstant(static_cast<int64_t>(type)));
    }
}

void convert(jit::Block& block, c10::ScalarType type) {
    for (auto* node : block.nodes()) {
        if (node->kind() == c10::prim::Constant) convert_constant(*node, type);
        convert_arguments(*node, type);
        for (auto* inner : node->blocks()) convert(*inner, type);
    }
}

}  // namespace

jit::Module in_precision(const jit::Module& module, c10::ScalarType type) {
    const torch::NoGradGuard no_grad;
    auto copy = module.deepcopy();
    visit_tensors(copy, [&](const std::string&, const torch::Tensor& tensor, bool) {
        if (tensor.defined() && tensor.is_floating_point()) torch::Tensor(tensor).set_data(tensor.to(type));
    });
    auto code = copy.get_method("forward").graph()->copy();
    jit::Inline(*code);
    convert(*code->block(), type);
    install_forward(copy, std::move(code));
    return copy;
}

bool is_low_precision(c10::ScalarType type) {
    return type == torch::kFloat16 || type == torch::kBFloat16;
}

bool is_low_precision(const jit::Module& module) {
    bool found = false;
    visit_tensors(module, [&](const std::string&, const torch::Tensor& tensor, bool) {
        found = found || (tensor.defined() && is_low_precision(tensor.scalar_type()));
    });
    return found;
}

}  // namespace mtlprune
