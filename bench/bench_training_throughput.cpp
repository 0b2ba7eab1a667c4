// Training iterations of any network on request, for bench/peer/compare_training.py, which runs them in turns
// with PyTorch's.
//
//   build/bin/bench_training_throughput --model resnet18/smallaspp:hidden=64 --side 128 --batch 4 --threads 2
//
// Prints a line of JSON at the start (parameters, operations of an iteration, libraries) and one per request
// on standard input:
//   step N   seconds of each of N iterations on one fixed random batch: forward, losses of segmentation (40
//            classes), normals and depth, backward, Adam; and the last losses
//   peak     GFLOP/s of LibTorch's best convolution forward: 3x3, 256 -> 256 channels, 64x64, batch 4
// `operations` counts two per multiply-accumulate of convolutions and matrix products (cost_of(), the
// definition's, padding included): forward, input gradient and weight gradient, without the input gradient of
// the layers that read the image.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "base/error.h"
#include "bench/random_batch.h"
#include "models/model_spec.h"
#include "models/process_setup.h"
#include "pruning/cost/cost.h"
#include "training/trainer.h"

namespace mtlprune {
namespace {

struct Settings {
    std::string model;
    int64_t side = 128, batch = 4, threads = 2;
};

int64_t positive(const std::string& option, const std::string& text) {
    const bool digits =
        !text.empty() && text.size() < 7 && text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(text) < 1)
        throw Error("option", option, "a number of at least 1", "'" + text + "'");
    return std::stoi(text);
}

Settings settings_of(const std::vector<std::string>& arguments) {
    Settings settings;
    for (size_t i = 0; i < arguments.size(); i += 2) {
        const auto& option = arguments[i];
        if (i + 1 == arguments.size()) throw Error("option", option, "a value", "nothing");
        const auto& value = arguments[i + 1];
        if (option == "--model")
            settings.model = value;
        else if (option == "--side")
            settings.side = positive(option, value);
        else if (option == "--batch")
            settings.batch = positive(option, value);
        else if (option == "--threads")
            settings.threads = positive(option, value);
        else
            throw Error("option", option, "--model, --side, --batch or --threads", "another one");
    }
    if (settings.model.empty()) throw Error("option", "--model", "BACKBONE/HEAD", "nothing");
    return settings;
}

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool reads_image(const TracedGraph& graph, const TracedNode& node) {
    const auto read = graph.tensor_inputs(node);
    return std::find(read.begin(), read.end(), graph.inputs.at(0)) != read.end();
}

/// Multiply-accumulates of a forward pass: of all layers, and of those that read the image.
std::pair<int64_t, int64_t> forward_macs(Model& model, const torch::Tensor& image) {
    const auto graph =
        trace(model, [&](const std::vector<torch::Tensor>& in) { return model.forward(in.at(0)); }, {image});
    auto first = graph;
    std::erase_if(first.nodes, [&](const TracedNode& node) { return !reads_image(graph, node); });
    return {cost_of(graph).macs, cost_of(first).macs};
}

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

nlohmann::json description(Model& model, const torch::Tensor& image) {
    const auto [all, first] = forward_macs(model, image);
    int64_t parameters = 0;
    for (const auto& parameter : model.parameters()) parameters += parameter.numel();
    return {{"parameters", parameters},
            {"forward_macs", all},
            {"operations", 2 * (3 * all - first)},
            {"libtorch", TORCH_VERSION},
            {"threads", at::get_num_threads()},
            {"environment",
             {{"OPENBLAS_CORETYPE", variable("OPENBLAS_CORETYPE")},
              {"GLIBC_TUNABLES", variable("GLIBC_TUNABLES")}}}};
}

nlohmann::json steps(Trainer& trainer, const Batch& batch, int64_t count) {
    std::vector<double> seconds;
    torch::Tensor losses;
    for (int64_t i = 0; i < count; ++i) seconds.push_back(seconds_of([&] { losses = trainer.step(batch); }));
    std::vector<double> values;
    for (int64_t t = 0; t < losses.size(0); ++t) values.push_back(losses[t].item<double>());
    return {{"seconds", seconds}, {"losses", values}};
}

/// Best of both memory layouts.
nlohmann::json convolution_peak() {
    constexpr int64_t kBatch = 4, kChannels = 256, kSide = 64, kKernel = 3, kRuns = 8;
    constexpr double kOperations = 2.0 * kBatch * kChannels * kChannels * kKernel * kKernel * kSide * kSide;
    const torch::NoGradGuard no_grad;
    double best = 0;
    for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
        const auto x = torch::randn({kBatch, kChannels, kSide, kSide}).contiguous(format);
        const auto weight = torch::randn({kChannels, kChannels, kKernel, kKernel}).contiguous(format);
        for (int64_t run = 0; run < kRuns; ++run)
            best = std::max(best, kOperations / seconds_of([&] { at::conv2d(x, weight, {}, 1, 1); }));
    }
    return {{"gflops", best * 1e-9}};
}

nlohmann::json answer(const std::string& request, Trainer& trainer, const Batch& batch) {
    std::istringstream words(request);
    std::string what, count;
    words >> what >> count;
    if (what == "peak") return convolution_peak();
    if (what != "step") throw Error("request", "standard input", "step N or peak", "'" + request + "'");
    return steps(trainer, batch, positive("step", count));
}

void serve(const Settings& settings) {
    at::set_num_threads(static_cast<int>(settings.threads));
    const auto model = make_model(settings.model, nyuv2_tasks(40));
    model->initialise(1);
    model->train();
    const auto batch = random_batch(settings.batch, settings.side);
    std::cout << description(*model, batch.image).dump() << std::endl;
    Trainer trainer(model, {.optimizer = default_optimizer(OptimizerKind::adam)});
    for (std::string request; std::getline(std::cin, request);)
        std::cout << answer(request, trainer, batch).dump() << std::endl;
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    try {
        mtlprune::set_up_process(argv);
        mtlprune::serve(mtlprune::settings_of({argv + 1, argv + argc}));
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << error.what() << "\n";
        return 2;
    }
    return 0;
}
