// The networks of tests/pruning/golden/networks.py with the weights and mini-batches of its files.
#pragma once

#include <torch/nn.h>

#include "pruning/criteria/taylor.h"
#include "tests/pruning/two_tasks.h"
#include "training/checkpoint.h"

namespace mtlprune::golden_networks {

using Outputs = std::vector<torch::Tensor>;

inline torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t side, bool bias = true) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, side).padding(side / 2).bias(bias));
}

/// The stem of TwoTasks, its second layer with one output.
struct OneAnswerImpl : torch::nn::Module {
    torch::nn::Conv2d first = register_module("first", convolution(3, 6, 3)),
                      second = register_module("second", convolution(6, 1, 3));
    torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(6));
    Outputs forward(const torch::Tensor& x) { return {second(torch::relu(norm(first(x))))}; }
};
TORCH_MODULE(OneAnswer);

/// A residual sum before a flatten and a linear layer; the third task looks into the branch.
struct ResidualImpl : torch::nn::Module {
    torch::nn::Conv2d stem = register_module("stem", convolution(3, 4, 3)),
                      inner = register_module("inner", convolution(4, 5, 3)),
                      outer = register_module("outer", convolution(5, 4, 3, /*bias=*/false)),
                      side = register_module("side", convolution(5, 2, 1));
    torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(4));
    torch::nn::Linear last = register_module("last", torch::nn::Linear(64, 3));
    Outputs forward(const torch::Tensor& x) {
        const auto y = stem(x), hidden = torch::relu(inner(y));
        const auto out = last(torch::relu(y + norm(outer(hidden))).flatten(1));
        return {out.slice(1, 0, 2), out.slice(1, 2, 3), side(hidden)};
    }
};
TORCH_MODULE(Residual);

/// Module and forward of a network by name.
struct Model {
    std::shared_ptr<torch::nn::Module> module;
    std::function<Outputs(const torch::Tensor&)> forward;
    std::string file;

    template <typename Holder>
    static Model of(Holder holder, std::string file) {
        return {holder.ptr(), [holder](const torch::Tensor& x) mutable { return holder->forward(x); },
                std::move(file)};
    }
    static Model named(const std::string& name) {
        if (name == "residual") return of(Residual(), "residual.pt");
        if (name == "one_answer") return of(OneAnswer(), "one_answer.pt");
        return of(two_tasks::TwoTasks(), "network.pt");
    }
};

/// A network in eval mode, pruned by one criterion.
class Subject {
  public:
    Subject(const std::filesystem::path& folder, const std::string& name, const std::string& criterion)
        : model_(Model::named(name)),
          data_(load_pickle(folder / model_.file)),
          network_(loaded(), [this](const auto& in) { return model_.forward(in[0]); },
                   {data_.at("batch0.images").slice(0, 0, 1)}),
          pruner_(network_.couple({}), criteria().make(criterion), {}),
          tensors_(network_.tensors()) {}

    void observe(int batch) {
        auto evidence = pruner_.evidence(tensors_);
        const auto passes = passes_of(batch);
        const auto needs = pruner_.criterion().needs();
        evidence.own_passes = &passes;
        if (needs.gradients || needs.task_gradients || needs.gates)
            add_gradients(evidence, {.gradients = true, .task_gradients = true}, passes.batch_losses(),
                          tensors_);
        for (size_t i = 0; needs.gates && i < pruner_.asked().size(); ++i)
            evidence.gate_gradients.push_back(gate_gradient(evidence, i));
        pruner_.criterion().observe(evidence);
        if (needs.gates) pruner_.criterion().observe_update(evidence.gate_gradients);
    }
    void event_that_takes_nothing() {
        std::vector<torch::Tensor> kept;
        for (const auto width : pruner_.widths()) kept.push_back(torch::arange(width));
        pruner_.criterion().after_event(kept);
    }
    std::vector<torch::Tensor> scores(const std::vector<std::string>& groups) const {
        const auto all = pruner_.criterion().scores(pruner_.evidence(tensors_)).scores;
        std::vector<torch::Tensor> found;
        for (const auto& name : groups)
            for (const size_t g : pruner_.asked())
                if (pruner_.groups()[g].name == name) found.push_back(all[g]);
        if (found.size() != groups.size())
            throw Error("network", model_.file, "a group per name", "other groups");
        return found;
    }

  private:
    torch::nn::Module& loaded() {
        const torch::NoGradGuard no_grad;
        auto& module = *model_.module;
        module.to(torch::kDouble);
        module.eval();
        for (auto& item : module.named_parameters()) item.value().copy_(data_.at(item.key()));
        for (auto& item : module.named_buffers())
            if (data_.contains(item.key())) item.value().copy_(data_.at(item.key()));
        return module;
    }
    /// The second task's is the mean of absolute, all others' that of squared errors.
    Outputs losses(const std::string& batch, SampleRange rows) const {
        const auto part = [&](const std::string& name) {
            return data_.at(batch + name).narrow(0, rows.begin, rows.count());
        };
        auto out = model_.forward(part(".images"));
        for (size_t t = 0; t < out.size(); ++t) {
            const auto error = out[t] - part(".target" + std::to_string(t));
            out[t] = (t == 1 ? error.abs() : error.square()).mean();
        }
        return out;
    }
    Passes passes_of(int number) const {
        const auto batch = "batch" + std::to_string(number);
        Passes passes;
        passes.input = data_.at(batch + ".images");
        passes.samples = passes.input.size(0);
        passes.batch_losses = [this, batch, n = passes.samples] { return losses(batch, {0, n}); };
        passes.losses = [this, batch](SampleRange rows) { return losses(batch, rows); };
        passes.drawn_losses = [this, batch](SampleRange rows, uint64_t) { return losses(batch, rows); };
        passes.outputs = model_.forward;
        passes.in_mode = [this](bool training) {
            return std::make_shared<ModuleMode>(*model_.module, training);
        };
        return passes;
    }

    Model model_;
    TensorMap data_;
    ModuleNetwork network_;
    Pruner pruner_;
    StoredTensors tensors_;
};

}  // namespace mtlprune::golden_networks
