// A network of your own, pruned: nothing in it knows of mtlprune. docs/pruning.md explains the steps.
#include <torch/torch.h>

#include <iostream>

#include "pruning/network/prune.h"

struct Net : torch::nn::Module {
    torch::nn::Conv2d stem{torch::nn::Conv2dOptions(3, 16, 3).padding(1)},
        body{torch::nn::Conv2dOptions(16, 16, 3).padding(1)};
    torch::nn::BatchNorm2d norm{16};
    torch::nn::Linear head{16, 10};

    Net() {
        register_module("stem", stem);
        register_module("body", body);
        register_module("norm", norm);
        register_module("head", head);
    }
    torch::Tensor forward(torch::Tensor x) {
        x = torch::relu(norm(stem(x)));
        x = x + torch::relu(body(x));
        return head(x.mean({2, 3}));
    }
};

int main() {
    Net net;
    mtlprune::ModuleNetwork network(net, [&](const auto& in) { return std::vector{net.forward(in[0])}; },
                                    {torch::randn({1, 3, 32, 32})});
    mtlprune::PruneOptions options;
    options.allocation.budget = {mtlprune::BudgetUnit::macs, 0.5};
    const auto report = mtlprune::prune(network, mtlprune::criteria().make("l2"), options);

    std::cout << net << "\n"
              << report.before.macs << " -> " << report.after.macs << " multiply-accumulates, "
              << report.before.parameters << " -> " << report.after.parameters << " parameters\n";
}
