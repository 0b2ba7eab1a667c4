// Weights and images that need no file: the Python programs that computed what tests expect use the same
// formula.
#pragma once

#include <torch/nn/module.h>

#include <cmath>
#include <functional>
#include <string>

namespace mtlprune {

/// In [-1, 1): SplitMix64 counters from the FNV-1a hash of the name, 24 bits each.
inline torch::Tensor formula_uniform(const std::string& name, at::IntArrayRef shape) {
    uint64_t seed = 0xCBF29CE484222325;
    for (const char byte : name) seed = (seed ^ static_cast<uint8_t>(byte)) * 0x100000001B3;
    const auto values = torch::empty(shape, torch::kDouble);
    auto* value = values.data_ptr<double>();
    for (int64_t i = 0; i < values.numel(); ++i) {
        uint64_t x = seed + static_cast<uint64_t>(i + 1) * 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        value[i] = static_cast<double>((x ^ (x >> 31)) >> 40) / 8388608.0 - 1.0;
    }
    return values;
}

/// What the tensor of that released name holds: activations stay about as large as the image's values.
inline torch::Tensor formula_value(const std::string& name, at::IntArrayRef shape) {
    const auto u = formula_uniform(name, shape);
    if (name.ends_with("running_var")) return 1.0 + u / 2.0;
    if (name.ends_with("running_mean")) return u / 10.0;
    if (shape.size() == 1) return name.ends_with("weight") ? 1.0 + u / 5.0 : u / 10.0;
    if (shape.size() == 3) return u / 2.0;
    return u * std::sqrt(6.0 / static_cast<double>(u.numel() / shape[0]));
}

/// Fills all tensors of real numbers that have a released name.
inline void fill_by_formula(torch::nn::Module& module,
                            const std::function<std::string(const std::string&)>& released_name) {
    const torch::NoGradGuard no_grad;
    const auto fill = [&](const std::string& name, torch::Tensor& tensor) {
        if (!name.empty() && tensor.is_floating_point()) tensor.copy_(formula_value(name, tensor.sizes()));
    };
    for (auto& item : module.named_parameters()) fill(released_name(item.key()), item.value());
    for (auto& item : module.named_buffers()) fill(released_name(item.key()), item.value());
}

/// [1,3,height,width]
inline torch::Tensor formula_image(int64_t height, int64_t width) {
    return formula_uniform("image", {1, 3, height, width}).to(torch::kFloat);
}

}  // namespace mtlprune
