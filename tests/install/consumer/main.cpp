// Prunes a small network with the installed library; exit code 1 when the result is not what was asked for.
#include <mtlprune/mtlprune.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <iostream>

struct Net : torch::nn::Module {
    torch::nn::Conv2d stem{torch::nn::Conv2dOptions(3, 16, 3).padding(1)};
    torch::nn::BatchNorm2d norm{16};
    torch::nn::Linear head{16, 10};

    Net() {
        register_module("stem", stem);
        register_module("norm", norm);
        register_module("head", head);
    }
    torch::Tensor forward(const torch::Tensor& x) { return head(torch::relu(norm(stem(x))).mean({2, 3})); }
};

int main() {
    Net net;
    const auto image = torch::randn({2, 3, 8, 8});
    mtlprune::ModuleNetwork network(net, [&](const auto& in) { return std::vector{net.forward(in[0])}; },
                                    {image});
    mtlprune::PruneOptions options;
    options.allocation.budget = {mtlprune::BudgetUnit::macs, 0.5};
    const auto report = mtlprune::prune(network, mtlprune::criteria().make("l2"), options);
    const auto width = net.stem->options.out_channels();
    std::cout << "mtlprune " << mtlprune::kVersion << ": " << width << " of 16 channels, "
              << report.before.macs << " -> " << report.after.macs << " multiply-accumulates\n";
    // Everything but the head's 10 outputs scales with the width, so half of the MACs are 8 channels.
    // A network by text, as experiments have it.
    const auto model =
        mtlprune::make_model("vgg16:width=0.0625,pools=1/smallaspp:hidden=4", mtlprune::nyuv2_tasks(5));
    model->initialise(0);
    if (model->forward(image)[0].sizes() != torch::IntArrayRef({2, 5, 4, 4})) return 1;
    return width == 8 && 2 * report.after.macs == report.before.macs && net.norm->weight.size(0) == 8 &&
                   net.forward(image).sizes() == torch::IntArrayRef({2, 10})
               ? 0
               : 1;
}
