#include "pruning/coupling/module_options.h"

namespace mtlprune {
namespace {

template <typename Convolution>
void refresh_convolution(Convolution& layer) {
    auto& options = layer.options;
    const auto& weight = layer.weight;
    const bool depthwise = options.groups() > 1 && options.groups() == options.in_channels();
    if (depthwise && !options.transposed())
        options.groups(weight.size(0) * options.groups() / options.out_channels());
    const int64_t spread = weight.size(1) * options.groups();
    options.in_channels(options.transposed() ? weight.size(0) : spread);
    options.out_channels(options.transposed() ? spread : weight.size(0));
}

void refresh_linear(torch::nn::LinearImpl& layer) {
    layer.options.out_features(layer.weight.size(0)).in_features(layer.weight.size(1));
}

template <typename Norm>
void refresh_norm(Norm& layer) {
    for (const auto& tensor : {layer.weight, layer.running_mean})
        if (tensor.defined()) layer.options.num_features(tensor.size(0));
}

template <typename Module, typename Refresh>
bool refresh_as(torch::nn::Module& module, Refresh refresh) {
    auto* typed = dynamic_cast<Module*>(&module);
    if (typed != nullptr) refresh(*typed);
    return typed != nullptr;
}

void refresh_one(torch::nn::Module& module) {
    using namespace torch::nn;
    const auto convolution = [](auto& layer) { refresh_convolution(layer); };
    const auto norm = [](auto& layer) { refresh_norm(layer); };
    refresh_as<Conv2dImpl>(module, convolution) || refresh_as<LinearImpl>(module, refresh_linear) ||
        refresh_as<BatchNorm2dImpl>(module, norm) || refresh_as<Conv1dImpl>(module, convolution) ||
        refresh_as<Conv3dImpl>(module, convolution) || refresh_as<ConvTranspose1dImpl>(module, convolution) ||
        refresh_as<ConvTranspose2dImpl>(module, convolution) ||
        refresh_as<ConvTranspose3dImpl>(module, convolution) || refresh_as<BatchNorm1dImpl>(module, norm) ||
        refresh_as<BatchNorm3dImpl>(module, norm) || refresh_as<InstanceNorm1dImpl>(module, norm) ||
        refresh_as<InstanceNorm2dImpl>(module, norm) || refresh_as<InstanceNorm3dImpl>(module, norm);
}

}  // namespace

void refresh_options(torch::nn::Module& module) {
    refresh_one(module);
    for (const auto& child : module.modules(/*include_self=*/false)) refresh_one(*child);
}

}  // namespace mtlprune
