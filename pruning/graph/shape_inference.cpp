#include "pruning/graph/shape_inference.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "pruning/graph/traced_graph.h"

namespace mtlprune {
namespace {

using torch::jit::Stack;

bool is_meta(const c10::IValue& value) {
    return value.isTensor() && value.toTensor().defined() && value.toTensor().is_meta();
}

bool has_meta(const Stack& stack) {
    return std::any_of(stack.begin(), stack.end(), [](const c10::IValue& value) {
        if (!value.isTensorList()) return is_meta(value);
        const auto list = value.toTensorVector();
        return std::any_of(list.begin(), list.end(),
                           [](const torch::Tensor& tensor) { return tensor.is_meta(); });
    });
}

torch::Tensor meta(std::vector<int64_t> shape, c10::ScalarType type) {
    return torch::empty(shape, torch::TensorOptions().dtype(type).device(torch::kMeta));
}

torch::Tensor meta_like(const torch::Tensor& tensor) {
    return meta(tensor.sizes().vec(), tensor.scalar_type());
}

/// Every tensor on the stack through `convert`, those in lists too.
template <typename Convert>
void convert_tensors(Stack& stack, const Convert& convert) {
    for (auto& value : stack) {
        if (value.isTensor() && value.toTensor().defined()) {
            value = convert(value.toTensor());
        } else if (value.isTensorList()) {
            auto list = value.toTensorVector();
            for (auto& tensor : list) tensor = convert(tensor);
            value = list;
        }
    }
}

/// Operators whose first result has the shape and type of their first argument.
bool keeps_shape(const std::string& kind) {
    static const std::unordered_set<std::string> kinds = {
        "relu",        "relu_",           "relu6",         "relu6_",       "_weight_norm",
        "hardswish",   "hardswish_",      "hardsigmoid",   "hardsigmoid_", "batch_norm",
        "layer_norm",  "group_norm",      "instance_norm", "prelu",        "roll",
        "flip",        "channel_shuffle", "dropout",       "dropout_",     "feature_dropout",
        "hardtanh",    "hardtanh_",       "selu",          "celu",         "mish",
        "log_sigmoid", "leaky_relu",      "leaky_relu_"};
    return kinds.count(kind) > 0;
}

int64_t entry(const std::vector<int64_t>& list, size_t i) {
    return list.size() == 1 ? list[0] : list[i];
}

std::vector<int64_t> convolution_shape(const torch::Tensor& x, const torch::Tensor& weight,
                                       const c10::IValue& stride, const c10::IValue& padding,
                                       const c10::IValue& dilation, bool transposed,
                                       const std::vector<int64_t>& output_padding, int64_t groups) {
    const size_t spatial = weight.dim() - 2;
    auto shape = x.sizes().vec();
    const size_t channel = shape.size() - spatial - 1;
    const int64_t channels = transposed ? weight.size(0) : weight.size(1) * groups;
    TORCH_CHECK(shape[channel] == channels, "expected ", channels, " channels, found ", shape[channel]);
    shape[channel] = transposed ? weight.size(1) * groups : weight.size(0);
    const auto strides = stride.toIntVector(), dilations = dilation.toIntVector();
    for (size_t i = 0; i < spatial; ++i) {
        auto& size = shape[channel + 1 + i];
        const int64_t reach = entry(dilations, i) * (weight.size(static_cast<int64_t>(i) + 2) - 1);
        if (padding.isString() && padding.toStringRef() == "same") continue;
        const int64_t pad = padding.isString() ? 0 : entry(padding.toIntVector(), i),
                      step = entry(strides, i);
        size = transposed ? (size - 1) * step - 2 * pad + reach + entry(output_padding, i) + 1
                          : (size + 2 * pad - reach - 1) / step + 1;
    }
    return shape;
}

/// aten::_convolution(x, weight, bias, stride, padding, dilation, transposed, output padding, groups, ...),
/// and the convolutions of a number of dimensions: conv2d(..., dilation, groups), conv_transpose2d(...,
/// output padding, groups, dilation).
std::vector<int64_t> convolution_shape(const std::string& kind, const Stack& s) {
    const auto x = s[0].toTensor(), weight = s[1].toTensor();
    if (kind == "_convolution" || kind == "convolution")
        return convolution_shape(x, weight, s[3], s[4], s[5], s[6].toBool(), s[7].toIntVector(),
                                 s[8].toInt());
    if (kind.rfind("conv_transpose", 0) == 0)
        return convolution_shape(x, weight, s[3], s[4], s[7], true, s[5].toIntVector(), s[6].toInt());
    return convolution_shape(x, weight, s[3], s[4], s[5], false, {0}, s[6].toInt());
}

std::string short_kind(const torch::jit::Node& node) {
    const std::string kind = node.kind().toQualString();
    return kind.rfind("aten::", 0) == 0 ? kind.substr(6) : kind;
}

}  // namespace

bool ShapeInference::by_rule(const torch::jit::Node& node, Stack& stack) const {
    const auto kind = short_kind(node);
    torch::Tensor result;
    if (keeps_shape(kind)) {
        result = meta_like(stack[0].toTensor());
    } else if (is_convolution("aten::" + kind)) {
        result = meta(convolution_shape(kind, stack), stack[0].toTensor().scalar_type());
    } else if (kind == "index_select") {
        auto shape = stack[0].toTensor().sizes().vec();
        const int64_t axis = stack[1].toInt();
        shape[axis < 0 ? axis + shape.size() : axis] = stack[2].toTensor().numel();
        result = meta(shape, stack[0].toTensor().scalar_type());
    } else if (kind.rfind("adaptive_avg_pool", 0) == 0) {
        const auto sizes = stack[1].toIntVector();
        auto shape = stack[0].toTensor().sizes().vec();
        std::copy(sizes.begin(), sizes.end(), shape.end() - static_cast<int64_t>(sizes.size()));
        result = meta(shape, stack[0].toTensor().scalar_type());
    } else if (kind == "embedding") {
        auto shape = stack[1].toTensor().sizes().vec();
        shape.push_back(stack[0].toTensor().size(1));
        result = meta(shape, stack[0].toTensor().scalar_type());
    } else {
        return false;
    }
    stack.assign(1, result);
    return true;
}

/// On zeros instead of the numbers that are not there.
void ShapeInference::by_computing(const torch::jit::Node& node, Stack& stack) {
    convert_tensors(stack, [](const torch::Tensor& tensor) {
        return tensor.is_meta() ? torch::zeros(tensor.sizes(), tensor.options().device(torch::kCPU)) : tensor;
    });
    node.getOperation()(stack);
    convert_tensors(stack, meta_like);
    computed_.emplace_back(node.kind().toQualString());
}

void ShapeInference::run(const torch::jit::Node& node, Stack& stack) {
    if (!has_meta(stack)) return node.getOperation()(stack);
    if (by_rule(node, stack)) return;
    const Stack arguments = stack;
    try {
        convert_tensors(stack, [](const torch::Tensor& tensor) {
            return tensor.dim() == 0 ? tensor : meta_like(tensor);
        });
        node.getOperation()(stack);
    } catch (const std::exception&) {
        stack = arguments;
        by_computing(node, stack);
    }
}

}  // namespace mtlprune
