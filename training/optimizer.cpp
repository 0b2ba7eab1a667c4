#include "training/optimizer.h"

#include <fmt/format.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <limits>

#include "base/enum_names.h"
#include "base/error.h"
#include "training/fused_adam.h"

namespace mtlprune {
namespace {

constexpr double kAny = std::numeric_limits<double>::max();

const EnumNames<OptimizerKind> kOptimizers = {
    {OptimizerKind::adam, "adam"}, {OptimizerKind::adamw, "adamw"}, {OptimizerKind::sgd, "sgd"}};

}  // namespace

OptimizerConfig default_optimizer(OptimizerKind kind) {
    switch (kind) {
        case OptimizerKind::adam:
            return {};
        case OptimizerKind::adamw:
            return {kind, 5e-5, 0.9, 0.999, 1e-8, 0.01, 0.0};
        case OptimizerKind::sgd:
            return {kind, 0.01, 0.0, 0.0, 0.0, 0.0, 0.9};
    }
    throw Error("optimizer: unknown kind");
}

OptimizerConfig read_optimizer(JsonReader reader) {
    auto config = default_optimizer(reader.choice("kind", OptimizerKind::adam, kOptimizers));
    const double below_one = std::nextafter(1.0, 0.0);
    config.lr = reader.number("lr", config.lr, 0.0, kAny);
    config.weight_decay = reader.number("weight_decay", config.weight_decay, 0.0, kAny);
    if (config.kind == OptimizerKind::sgd) {
        config.momentum = reader.number("momentum", config.momentum, 0.0, below_one);
    } else {
        config.beta1 = reader.number("beta1", config.beta1, 0.0, below_one);
        config.beta2 = reader.number("beta2", config.beta2, 0.0, below_one);
        config.eps = reader.number("eps", config.eps, 0.0, kAny);
    }
    reader.finish();
    return config;
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::vector<torch::Tensor>& parameters,
                                                        const OptimizerConfig& config) {
    const auto betas = std::make_tuple(config.beta1, config.beta2);
    switch (config.kind) {
        case OptimizerKind::adam:
            return fused_adam(parameters, torch::optim::AdamOptions(config.lr)
                                              .betas(betas)
                                              .eps(config.eps)
                                              .weight_decay(config.weight_decay));
        case OptimizerKind::adamw:
            return fused_adamw(parameters, torch::optim::AdamWOptions(config.lr)
                                               .betas(betas)
                                               .eps(config.eps)
                                               .weight_decay(config.weight_decay));
        case OptimizerKind::sgd:
            return std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(config.lr)
                                                                       .momentum(config.momentum)
                                                                       .weight_decay(config.weight_decay));
    }
    throw Error("optimizer: unknown kind");
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr) {
    for (auto& group : optimizer.param_groups()) group.options().set_lr(lr);
}

}  // namespace mtlprune
