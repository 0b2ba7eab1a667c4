// Whoever only prunes links one room and needs no library that reads data: counts what a layer costs.
#include <mtlprune/version.h>
#include <torch/nn/modules/linear.h>

#include <iostream>

#include "pruning/cost/cost.h"

int main() {
    torch::nn::Linear layer(4, 3);
    const auto coupling = mtlprune::couple(
        *layer, [&](const auto& in) { return std::vector{layer->forward(in[0])}; }, {torch::ones({1, 4})});
    const auto cost = mtlprune::cost_of(coupling, mtlprune::channel_counts(coupling.groups));
    std::cout << "mtlprune " << mtlprune::kVersion << ": " << cost.macs << " multiply-accumulates, "
              << cost.parameters << " parameters\n";
    return cost.macs == 12 && cost.parameters == 15 ? 0 : 1;
}
