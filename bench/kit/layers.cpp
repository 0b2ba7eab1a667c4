#include "bench/kit/layers.h"

#include <torch/utils.h>

#include <map>

#include "models/layers/conv2d.h"

namespace mtlprune {
namespace {

constexpr size_t kInput = 0, kWeight = 1, kBias = 2, kStride = 3, kPadding = 4;

std::vector<int64_t> pair_of(const TracedGraph& graph, size_t value, int64_t fallback) {
    auto numbers = graph.integers(value).value_or(std::vector<int64_t>{fallback});
    if (numbers.size() == 1) numbers.push_back(numbers.front());
    return numbers;
}

class LayerModel : public Model {
  public:
    explicit LayerModel(const LayerShape& layer)
        : Model({{"layer", TaskKind::segmentation, layer.weight[0]}}) {
        const auto two = [](const std::vector<int64_t>& numbers) {
            return torch::ExpandingArray<2>({numbers[0], numbers[1]});
        };
        torch::nn::Conv2dOptions options(layer.weight[1] * layer.groups, layer.weight[0],
                                         two({layer.weight[2], layer.weight[3]}));
        options.stride(two(layer.stride)).dilation(two(layer.dilation)).groups(layer.groups).bias(layer.bias);
        options.padding(two(layer.padding));
        convolution_ = register_module("layer", Conv2d(options));
    }
    FeatureMaps features(const torch::Tensor& image) override { return {convolution_->forward(image)}; }
    torch::Tensor predict(size_t, const FeatureMaps& features) override { return features.back(); }
    void initialise(uint64_t) override {}

  private:
    Conv2d convolution_ = nullptr;
};

}  // namespace

int64_t LayerShape::output_pixels() const {
    const auto side = [&](size_t d) {
        return (input[d + 2] + 2 * padding[d] - dilation[d] * (weight[d + 2] - 1) - 1) / stride[d] + 1;
    };
    return side(0) * side(1);
}

std::vector<LayerShape> convolutions_of(const TracedGraph& graph) {
    std::map<size_t, std::string> names;
    for (const auto& stored : graph.stored) names[stored.value] = module_of(stored.name);
    Shapes shapes;
    for (const auto& value : graph.values) shapes.push_back(value.shape);
    std::vector<LayerShape> layers;
    for (const auto& node : graph.nodes) {
        const auto* form = node.op->convolution;
        if (form == nullptr || form->always_transposed) continue;
        if (form->is_transposed > 0 && graph.integer(node.inputs[form->is_transposed], 0) != 0) continue;
        const auto& weight = graph.values[node.inputs[kWeight]];
        if (weight.shape.size() != 4) continue;
        LayerShape layer{.name = names[node.inputs[kWeight]],
                         .input = graph.values[node.inputs[kInput]].shape,
                         .weight = weight.shape,
                         .stride = pair_of(graph, node.inputs[kStride], 1),
                         .padding = pair_of(graph, node.inputs[kPadding], 0),
                         .dilation = pair_of(graph, node.inputs[form->dilation], 1)};
        layer.groups = graph.integer(node.inputs[form->groups], 1);
        layer.bias = graph.values[node.inputs[kBias]].is_tensor;
        layer.input_value = node.inputs[kInput];
        layer.weight_value = node.inputs[kWeight];
        layer.macs = node.op->macs(graph, node, shapes);
        layers.push_back(layer);
    }
    return layers;
}

ModelPtr layer_model(const LayerShape& layer) {
    torch::manual_seed(1);
    return std::make_shared<LayerModel>(layer);
}

}  // namespace mtlprune
