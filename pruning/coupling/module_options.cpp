#include "pruning/coupling/module_options.h"

#include <string>
#include <unordered_map>

namespace mtlprune {
namespace {

using Rows =
    std::unordered_map<std::string, const std::vector<int64_t>*>;  ///< removed from dim 0, per tensor

/// Whole blocks of `multiplier` rows left: with one input per group this is what tells channels of a
/// depthwise convolution from positions within the groups, where every block loses some rows and none loses
/// all.
bool lost_whole_blocks(const std::vector<int64_t>& rows, int64_t multiplier) {
    return static_cast<int64_t>(rows.size()) >= multiplier && rows[0] % multiplier == 0 &&
           rows[multiplier - 1] == rows[0] + multiplier - 1;
}

template <typename Convolution>
void refresh_convolution(Convolution& layer, const std::vector<int64_t>* removed_rows) {
    auto& options = layer.options;
    const auto& weight = layer.weight;
    const int64_t multiplier = options.out_channels() / options.groups();
    const bool depthwise =
        options.groups() > 1 && options.groups() == options.in_channels() && !options.transposed();
    if (depthwise && removed_rows != nullptr && lost_whole_blocks(*removed_rows, multiplier))
        options.groups(weight.size(0) / multiplier);
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

void refresh_one(torch::nn::Module& module, const std::vector<int64_t>* removed_rows) {
    using namespace torch::nn;
    const auto convolution = [&](auto& layer) { refresh_convolution(layer, removed_rows); };
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

void refresh_options(torch::nn::Module& module, const Plan& plan) {
    Rows rows;
    for (const auto& removal : plan.removed)
        if (removal.dim == 0) rows[removal.tensor] = &removal.indices;
    const auto removed_from = [&](const std::string& tensor) {
        const auto found = rows.find(tensor);
        return found == rows.end() ? nullptr : found->second;
    };
    refresh_one(module, removed_from("weight"));
    for (const auto& child : module.named_modules("", /*include_self=*/false))
        refresh_one(*child.value(), removed_from(child.key() + ".weight"));
}

}  // namespace mtlprune
