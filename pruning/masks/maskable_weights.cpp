#include "pruning/masks/maskable_weights.h"

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <map>

namespace mtlprune {
namespace {

bool is_convolution(const torch::nn::Module& layer) {
    using namespace torch::nn;
    return layer.as<Conv1dImpl>() != nullptr || layer.as<Conv2dImpl>() != nullptr ||
           layer.as<Conv3dImpl>() != nullptr || layer.as<ConvTranspose1dImpl>() != nullptr ||
           layer.as<ConvTranspose2dImpl>() != nullptr || layer.as<ConvTranspose3dImpl>() != nullptr;
}

/// By name, whether it is a convolution's.
std::map<std::string, bool> layer_weights(const torch::nn::Module& module) {
    std::map<std::string, bool> weights;
    for (const auto& layer : module.named_modules()) {
        const bool convolution = is_convolution(*layer.value());
        if (convolution || layer.value()->as<torch::nn::LinearImpl>() != nullptr)
            weights[layer.key().empty() ? "weight" : layer.key() + ".weight"] = convolution;
    }
    return weights;
}

}  // namespace

std::vector<MaskableWeight> maskable_weights(const Model& model) {
    const auto known = layer_weights(model);
    std::vector<MaskableWeight> weights;
    const auto add = [&](const NamedParameters& parameters, const std::string& task) {
        for (const auto& [name, parameter] : parameters)
            if (const auto found = known.find(name); found != known.end())
                weights.push_back({name, task, found->second, parameter});
    };
    add(model.shared_parameters(), "");
    for (size_t t = 0; t < model.tasks().size(); ++t) add(model.parameters_of(t), model.tasks()[t].name);
    return weights;
}

std::vector<size_t> reached_by(const std::vector<MaskableWeight>& weights, const std::string& task) {
    std::vector<size_t> reached;
    for (size_t i = 0; i < weights.size(); ++i)
        if (weights[i].task.empty() || weights[i].task == task) reached.push_back(i);
    return reached;
}

}  // namespace mtlprune
