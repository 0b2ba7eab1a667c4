// A small network with two tasks, and one criterion that looks at it.
#pragma once

#include <torch/nn.h>
#include <torch/utils.h>

#include "models/eval_mode.h"
#include "pruning/criteria/taylor.h"
#include "pruning/network/prune.h"

namespace mtlprune::two_tasks {

/// Normally distributed float64.
inline torch::Tensor normal_noise(const std::vector<int64_t>& shape, uint64_t key) {
    return torch::empty(shape, torch::kDouble).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

/// A shared stem of two layers, the first behind a batch norm (where asked for), and two tasks.
struct TwoTasksImpl : torch::nn::Module {
    static constexpr int64_t kChannels = 6;
    torch::nn::Conv2d first{torch::nn::Conv2dOptions(3, kChannels, 3).padding(1)},
        second{torch::nn::Conv2dOptions(kChannels, 5, 3).padding(1)}, left{torch::nn::Conv2dOptions(5, 2, 1)},
        right{torch::nn::Conv2dOptions(5, 3, 1)};
    torch::nn::BatchNorm2d norm{kChannels};
    bool has_norm;

    explicit TwoTasksImpl(bool has_norm = true) : has_norm(has_norm) {
        register_module("first", first);
        if (has_norm) register_module("norm", norm);
        register_module("second", second);
        register_module("left", left);
        register_module("right", right);
        const torch::NoGradGuard no_grad;
        uint64_t key = 1;
        to(torch::kDouble);
        for (auto& parameter : parameters())
            parameter.copy_(normal_noise(parameter.sizes().vec(), key++) * 0.4);
    }
    /// Gates multiply what the stem's two layers put out, behind their activations.
    std::vector<torch::Tensor> gated(torch::Tensor x, const torch::Tensor& first_gate,
                                     const torch::Tensor& second_gate) {
        x = first(std::move(x));
        x = torch::relu(has_norm ? norm(x) : x) * first_gate.view({1, -1, 1, 1});
        x = torch::relu(second(x)) * second_gate.view({1, -1, 1, 1});
        return {left(x), right(x)};
    }
    std::vector<torch::Tensor> forward(torch::Tensor x) {
        x = first(std::move(x));
        x = torch::relu(second(torch::relu(has_norm ? norm(x) : x)));
        return {left(x), right(x)};
    }
    static std::vector<torch::Tensor> losses_of(const std::vector<torch::Tensor>& out, uint64_t key) {
        return {(out[0] - normal_noise({2, 2, 6, 6}, key + 1)).square().mean(),
                (out[1] - normal_noise({2, 3, 6, 6}, key + 2)).abs().mean()};
    }
    std::vector<torch::Tensor> losses(uint64_t key) {
        return losses_of(forward(normal_noise({2, 3, 6, 6}, key)), key);
    }
    std::vector<torch::Tensor> gated_losses(uint64_t key, const torch::Tensor& first_gate,
                                            const torch::Tensor& second_gate) {
        return losses_of(gated(normal_noise({2, 3, 6, 6}, key), first_gate, second_gate), key);
    }
    /// The mini-batch of losses(key).
    Passes passes(uint64_t key) {
        Passes passes([this, key] { return losses(key); });
        passes.samples = 2;
        passes.input = normal_noise({2, 3, 6, 6}, key);
        passes.outputs = [this](const torch::Tensor& x) { return forward(x); };
        passes.losses = [this, key](SampleRange rows) {
            const auto part = [&](const torch::Tensor& x) { return x.narrow(0, rows.begin, rows.count()); };
            const auto out = forward(part(normal_noise({2, 3, 6, 6}, key)));
            return std::vector<torch::Tensor>{
                (out[0] - part(normal_noise({2, 2, 6, 6}, key + 1))).square().mean(),
                (out[1] - part(normal_noise({2, 3, 6, 6}, key + 2))).abs().mean()};
        };
        passes.drawn_losses = [losses = passes.losses](SampleRange rows, uint64_t) { return losses(rows); };
        passes.in_mode = [this](bool training) { return std::make_shared<ModuleMode>(*this, training); };
        return passes;
    }
    /// New channel c of the first layer is what was order[c].
    void permute(const torch::Tensor& order) {
        const torch::NoGradGuard no_grad;
        for (auto* tensor : {&first->weight, &first->bias, &norm->weight, &norm->bias})
            tensor->copy_(tensor->index_select(0, order));
        second->weight.copy_(second->weight.index_select(1, order));
    }
};
TORCH_MODULE(TwoTasks);

/// The network pruned by one criterion. Groups that may shrink: first, second.
struct Subject {
    explicit Subject(std::unique_ptr<Criterion> criterion, const torch::Tensor& order = {},
                     bool has_norm = true)
        : model(has_norm),
          network(*model, [this](const auto& in) { return model->forward(in[0]); },
                  {normal_noise({1, 3, 6, 6}, 7)}),
          pruner(network.couple({}), std::move(criterion), {}) {
        if (order.defined()) model->permute(order);
        tensors = network.tensors();
    }
    /// Evidence of these losses, whatever the criterion needs.
    Evidence evidence(const std::vector<torch::Tensor>& losses) const {
        auto evidence = pruner.evidence(tensors);
        add_gradients(evidence, {.gradients = true, .task_gradients = true}, losses, tensors);
        return evidence;
    }
    void observe_losses(const std::vector<torch::Tensor>& losses) {
        auto batch = evidence(losses);
        const bool gates = pruner.criterion().needs().gates;
        for (size_t i = 0; gates && i < pruner.asked().size(); ++i)
            batch.gate_gradients.push_back(gate_gradient(batch, i));
        pruner.criterion().observe(batch);
        if (gates) pruner.criterion().observe_update(batch.gate_gradients);
    }
    /// Gradients or passes, not both: a pass in training mode changes running statistics that others read.
    void observe(uint64_t key) {
        if (!pruner.criterion().needs().passes) return observe_losses(model->losses(key));
        auto batch = pruner.evidence(tensors);
        const auto passes = model->passes(key);
        batch.own_passes = &passes;
        const auto mode = passes.in_mode(/*training=*/false);
        pruner.criterion().observe(batch);
    }
    Scores result() const { return pruner.criterion().scores(pruner.evidence(tensors)); }
    std::vector<torch::Tensor> scores() const { return result().scores; }

    TwoTasks model;
    ModuleNetwork network;
    Pruner pruner;
    StoredTensors tensors;
};

}  // namespace mtlprune::two_tasks
