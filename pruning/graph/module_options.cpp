#include "pruning/graph/module_options.h"

#include <torch/nn.h>
#include <torch/utils.h>

#include <cmath>
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
    if (options.transposed() && options.groups() > 1 && options.groups() == options.in_channels())
        options.groups(weight.size(0));
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

/// Statistics run over the last axes, which the weight has; without a weight nothing tells.
void refresh_layer_norm(torch::nn::LayerNormImpl& layer) {
    if (layer.weight.defined()) layer.options.normalized_shape(layer.weight.sizes().vec());
}

void refresh_group_norm(torch::nn::GroupNormImpl& layer) {
    if (layer.weight.defined()) layer.options.num_channels(layer.weight.size(0));
}

void refresh_embedding(torch::nn::EmbeddingImpl& layer) {
    layer.options.embedding_dim(layer.weight.size(1));
}

void refresh_prelu(torch::nn::PReLUImpl& layer) {
    layer.options.num_parameters(layer.weight.size(0));
}

void refresh_bilinear(torch::nn::BilinearImpl& layer) {
    layer.options.out_features(layer.weight.size(0))
        .in1_features(layer.weight.size(1))
        .in2_features(layer.weight.size(2));
}

/// LSTM, GRU and RNN; what they check in forward are the options of their base.
template <typename Recurrent>
void refresh_recurrent(Recurrent& layer) {
    const auto parameters = layer.named_parameters(/*recurse=*/false);
    const int64_t inputs = parameters["weight_ih_l0"].size(1), hidden = parameters["weight_hh_l0"].size(1);
    layer.options.input_size(inputs).hidden_size(hidden);
    layer.options_base.input_size(inputs).hidden_size(hidden);
}

template <typename Cell>
void refresh_cell(Cell& cell) {
    cell.options.input_size(cell.weight_ih.size(1)).hidden_size(cell.weight_hh.size(1));
    cell.options_base.input_size(cell.weight_ih.size(1)).hidden_size(cell.weight_hh.size(1));
}

void refresh_attention(torch::nn::MultiheadAttentionImpl& layer) {
    if (!layer.in_proj_weight.defined() || layer.in_proj_weight.size(1) == layer.options.embed_dim()) return;
    const torch::NoGradGuard no_grad;
    const int64_t embedding = layer.in_proj_weight.size(1);
    const double factor =
        std::sqrt(static_cast<double>(embedding) / static_cast<double>(layer.options.embed_dim()));
    layer.in_proj_weight.slice(0, 0, embedding).mul_(factor);
    if (layer.in_proj_bias.defined()) layer.in_proj_bias.slice(0, 0, embedding).mul_(factor);
    layer.options.embed_dim(embedding).kdim(embedding).vdim(embedding);
    layer.head_dim = embedding / layer.options.num_heads();
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
        refresh_as<InstanceNorm2dImpl>(module, norm) || refresh_as<InstanceNorm3dImpl>(module, norm) ||
        refresh_as<LayerNormImpl>(module, refresh_layer_norm) ||
        refresh_as<GroupNormImpl>(module, refresh_group_norm) ||
        refresh_as<EmbeddingImpl>(module, refresh_embedding) ||
        refresh_as<PReLUImpl>(module, refresh_prelu) || refresh_as<BilinearImpl>(module, refresh_bilinear) ||
        refresh_as<LSTMImpl>(module, refresh_recurrent<LSTMImpl>) ||
        refresh_as<GRUImpl>(module, refresh_recurrent<GRUImpl>) ||
        refresh_as<RNNImpl>(module, refresh_recurrent<RNNImpl>) ||
        refresh_as<LSTMCellImpl>(module, refresh_cell<LSTMCellImpl>) ||
        refresh_as<GRUCellImpl>(module, refresh_cell<GRUCellImpl>) ||
        refresh_as<RNNCellImpl>(module, refresh_cell<RNNCellImpl>) ||
        refresh_as<MultiheadAttentionImpl>(module, refresh_attention);
}

}  // namespace

void refresh_options(torch::nn::Module& module, const Plan& plan) {
    Rows rows;
    for (const auto& removal : plan.slices)
        if (removal.dim == 0) rows[removal.tensor] = &removal.indices;
    const auto removed_from = [&](const std::string& tensor) {
        const auto found = rows.find(tensor);
        return found == rows.end() ? nullptr : found->second;
    };
    refresh_one(module, removed_from("weight"));
    for (const auto& child : module.named_modules("", /*include_self=*/false))
        refresh_one(*child.value(), removed_from(child.key() + ".weight"));
}

OptionsSnapshot::OptionsSnapshot(torch::nn::Module& module) : module_(module) {
    using namespace torch::nn;
    const auto remember = [&](auto& layer) {
        reset_.push_back([&layer, groups = layer.options.groups()] { layer.options.groups(groups); });
    };
    const auto attention = [&](MultiheadAttentionImpl& layer) {
        reset_.push_back([&layer, options = layer.options, width = layer.head_dim] {
            layer.options = options;
            layer.head_dim = width;
        });
    };
    const auto snapshot = [&](Module& layer) {
        refresh_as<Conv1dImpl>(layer, remember) || refresh_as<Conv2dImpl>(layer, remember) ||
            refresh_as<Conv3dImpl>(layer, remember) || refresh_as<ConvTranspose1dImpl>(layer, remember) ||
            refresh_as<ConvTranspose2dImpl>(layer, remember) ||
            refresh_as<ConvTranspose3dImpl>(layer, remember) ||
            refresh_as<MultiheadAttentionImpl>(layer, attention);
    };
    snapshot(module);
    for (const auto& child : module.modules(/*include_self=*/false)) snapshot(*child);
}

void OptionsSnapshot::restore() const {
    for (const auto& reset : reset_) reset();
    refresh_options(module_, {});
}

std::vector<AttentionModule> attention_modules(const torch::nn::Module& module) {
    std::vector<AttentionModule> found;
    const auto look = [&](const torch::nn::Module& layer, const std::string& prefix) {
        const auto* attention = dynamic_cast<const torch::nn::MultiheadAttentionImpl*>(&layer);
        if (attention != nullptr && attention->in_proj_weight.defined())
            found.push_back({prefix, attention->options.num_heads()});
    };
    // Without itself: a module on the stack cannot be listed among its modules.
    look(module, "");
    for (const auto& child : module.named_modules("", /*include_self=*/false))
        look(*child.value(), child.key() + ".");
    return found;
}

}  // namespace mtlprune
