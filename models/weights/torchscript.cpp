#include "models/weights/torchscript.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/utils.h>

#include "models/eval_mode.h"

namespace mtlprune {
namespace {

/// The same tree of modules, parameters and buffers, without code.
torch::jit::Module mirror(const torch::nn::Module& module,
                          const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
    torch::jit::Module result("__torch__.mtlprune.Network", unit, /*shouldMangle=*/true);
    for (const auto& item : module.named_parameters(/*recurse=*/false))
        result.register_parameter(item.key(), item.value(), /*is_buffer=*/false);
    for (const auto& item : module.named_buffers(/*recurse=*/false))
        result.register_parameter(item.key(), item.value(), /*is_buffer=*/true);
    for (const auto& item : module.named_children())
        result.register_module(item.key(), mirror(*item.value(), unit));
    return result;
}

}  // namespace

torch::jit::Module to_torchscript(Model& model, const torch::Tensor& image) {
    const torch::NoGradGuard no_grad;
    const EvalMode eval_mode(model);
    auto script = mirror(model, std::make_shared<torch::jit::CompilationUnit>());
    const auto predict = [&](const torch::jit::Stack& inputs) -> torch::jit::Stack {
        std::vector<c10::IValue> predictions;
        for (const auto& prediction : model.forward(inputs.at(0).toTensor()))
            predictions.emplace_back(prediction);
        return {c10::ivalue::Tuple::create(std::move(predictions))};
    };
    const auto state = torch::jit::tracer::trace(
                           {image}, predict, [](const auto&) { return std::string(); }, /*strict=*/true,
                           /*force_outplace=*/false, &script)
                           .first;
    const auto name = c10::QualifiedName(*script.type()->name(), "forward");
    script.type()->addMethod(script._ivalue()->compilation_unit()->create_function(name, state->graph));
    return script;
}

}  // namespace mtlprune
