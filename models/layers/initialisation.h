// First weights, from a seed alone.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <string>

namespace mtlprune {

/// kaiming_fan_out: weights normal with variance 2 / (outputs * kernel area), biases 0. uniform_fan_in:
/// weights and biases uniform within +-1/sqrt(inputs * kernel area), LibTorch's default. narrow_normal:
/// weights normal with standard deviation 0.01, biases 0.
enum class WeightDistribution { kaiming_fan_out, uniform_fan_in, narrow_normal };

/// A network's own rule: the first value, on the CPU, of the parameter `name` ("encoder.class_token"), or an
/// undefined tensor where the general rule holds.
using OwnRule = std::function<torch::Tensor(const std::string& name, const torch::Tensor& parameter,
                                            at::Generator generator)>;

/// Draws the parameters of the convolutions, linear and norm layers below `module`; norms become weight 1,
/// bias 0, mean 0, variance 1. `position` numbers parameters across calls; values depend on it and on `seed`.
/// Throws Error naming a parameter of another kind that has no rule of its own.
void initialise_layers(torch::nn::Module& module, WeightDistribution distribution, uint64_t seed,
                       uint64_t& position, const OwnRule& own = {});

}  // namespace mtlprune
