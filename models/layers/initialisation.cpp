#include "models/layers/initialisation.h"

#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace mtlprune {
namespace {

/// Elements of a [out, in, ...] weight that one of `channels` (inputs or outputs) meets.
double fan(const torch::Tensor& weight, int64_t channels) {
    return static_cast<double>(channels * (weight[0].numel() / weight.size(1)));
}

/// The value that a layer's own parameter starts with; `weight` is the layer's.
torch::Tensor drawn(const torch::Tensor& parameter, const torch::Tensor& weight, bool is_bias,
                    WeightDistribution distribution, at::Generator generator) {
    auto value = torch::zeros(parameter.sizes(), parameter.options().device(torch::kCPU));
    if (weight.dim() < 2) return is_bias ? value : value.fill_(1.0);  // a norm
    if (distribution == WeightDistribution::uniform_fan_in) {
        const double bound = 1.0 / std::sqrt(fan(weight, weight.size(1)));
        return value.uniform_(-bound, bound, generator);
    }
    if (is_bias) return value;
    const double deviation = distribution == WeightDistribution::narrow_normal
                                 ? 0.01
                                 : std::sqrt(2.0 / fan(weight, weight.size(0)));
    return value.normal_(0.0, deviation, generator);
}

void reset_statistics(torch::nn::Module& layer) {
    for (auto& buffer : layer.named_buffers(/*recurse=*/false))
        buffer.value().fill_(buffer.key() == "running_var" ? 1.0 : 0.0);
}

}  // namespace

void initialise_layers(torch::nn::Module& module, WeightDistribution distribution, uint64_t seed,
                       uint64_t& position, const OwnRule& own) {
    const torch::NoGradGuard no_grad;
    for (const auto& layer : module.named_modules()) {
        auto parameters = layer.value()->named_parameters(/*recurse=*/false);
        reset_statistics(*layer.value());
        for (auto& item : parameters) {
            const auto name = layer.key().empty() ? item.key() : layer.key() + "." + item.key();
            auto generator = at::detail::createCPUGenerator(mix_key(seed, Stream::init, position++));
            const auto value = own ? own(name, item.value(), generator) : torch::Tensor();
            if (!value.defined() && item.key() != "weight" && item.key() != "bias")
                throw Error("model", name, "the weight or bias of a layer, or a rule of the network's own",
                            "another parameter");
            item.value().copy_(value.defined()
                                   ? value
                                   : drawn(item.value(), parameters["weight"], item.key() == "bias",
                                           distribution, std::move(generator)));
        }
    }
}

}  // namespace mtlprune
