// Forward pass, input gradient and weight gradient of each layer: which kernel should convolve() use?
//
//   build/bin/bench_convolution --benchmark_filter='64->64' --benchmark_repetitions=3
//
// `contiguous` and `channels_last` are LibTorch's two kernels in the layout named, `taps` is
// models/layers/conv_taps.h, `winograd` is models/layers/conv_winograd.h (3x3 kernels),
// `convolve` is what the models get. Sizes and threads as in bench_training_iteration (MTLPRUNE_BENCH_SIZE,
// MTLPRUNE_BENCH_THREADS).
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <torch/autograd.h>

#include <cstdlib>

#include "bench/kit/program_context.h"
#include "models/layers/conv_taps.h"
#include "models/layers/conv_winograd.h"
#include "models/layers/convolve.h"
#include "models/process_setup.h"

namespace mtlprune {
namespace {

struct Layer {
    int64_t batch, inputs, outputs, kernel, dilation, side;
    int64_t padding() const { return dilation * (kernel - 1) / 2; }
    std::string name() const {
        return fmt::format("{}->{} k{} d{} {}x{} batch {}", inputs, outputs, kernel, dilation, side, side,
                           batch);
    }
    double operations() const {
        return 2.0 * static_cast<double>(batch * inputs * outputs * kernel * kernel * side * side);
    }
};

enum class Kernel { contiguous, channels_last, taps, winograd, convolve };
enum class Pass { forward, input_gradient, weight_gradient };

struct Tensors {
    torch::Tensor x, gradient;
    torch::nn::Conv2d layer{nullptr};
};

Tensors make_tensors(const Layer& l, torch::MemoryFormat format) {
    torch::nn::Conv2dOptions options(l.inputs, l.outputs, l.kernel);
    const auto random = [](at::IntArrayRef shape) {
        return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(7));
    };
    return {random({l.batch, l.inputs, l.side, l.side}).contiguous(format),
            random({l.batch, l.outputs, l.side, l.side}).contiguous(format),
            torch::nn::Conv2d(options.padding(l.padding()).dilation(l.dilation))};
}

torch::Tensor library_pass(const Layer& l, const Tensors& t, Pass pass) {
    const auto weight = t.layer->weight.detach(), bias = t.layer->bias.detach();
    if (pass == Pass::forward) return at::conv2d(t.x, weight, bias, 1, l.padding(), l.dilation);
    const bool input = pass == Pass::input_gradient;
    const std::vector<int64_t> bias_sizes = {l.outputs};
    const auto result =
        at::convolution_backward(t.gradient, t.x, weight, bias_sizes, {1, 1}, {l.padding(), l.padding()},
                                 {l.dilation, l.dilation}, false, {0, 0}, 1, {input, !input, !input});
    return input ? std::get<0>(result) : std::get<1>(result);
}

torch::Tensor tap_pass(const Layer& l, const Tensors& t, Pass pass) {
    const auto weight = t.layer->weight.detach();
    if (pass == Pass::forward) return tap_forward(t.x, weight, t.layer->bias.detach(), l.dilation);
    const bool input = pass == Pass::input_gradient;
    return tap_backward(t.gradient, t.x, weight, l.dilation, {input, !input, !input})[input ? 0 : 1];
}

torch::Tensor winograd_pass(const Layer& l, const Tensors& t, Pass pass) {
    const auto weight = t.layer->weight.detach();
    if (pass == Pass::forward) return winograd_forward(t.x, weight, t.layer->bias.detach(), l.dilation);
    const bool input = pass == Pass::input_gradient;
    return winograd_backward(t.gradient, t.x, weight, l.dilation, {input, !input, !input})[input ? 0 : 1];
}

torch::Tensor convolve_pass(Tensors& t, Pass pass, const torch::Tensor& output) {
    if (pass == Pass::forward) return convolve(t.x, *t.layer);
    const std::vector<torch::Tensor> weights = {t.layer->weight, t.layer->bias};
    return torch::autograd::grad({output},
                                 pass == Pass::input_gradient ? std::vector<torch::Tensor>{t.x} : weights,
                                 {t.gradient}, /*retain_graph=*/true)[0];
}

void measure(benchmark::State& state, const Layer& layer, Kernel kernel, Pass pass) {
    const bool contiguous = kernel == Kernel::contiguous;
    auto t =
        make_tensors(layer, contiguous ? torch::MemoryFormat::Contiguous : torch::MemoryFormat::ChannelsLast);
    torch::Tensor output;
    if (kernel == Kernel::convolve && pass != Pass::forward) {
        t.x.requires_grad_(true);
        output = convolve(t.x, *t.layer);
    }
    const torch::AutoGradMode grad_mode(output.defined());
    const auto run = [&] {
        if (kernel == Kernel::taps) return tap_pass(layer, t, pass);
        if (kernel == Kernel::winograd) return winograd_pass(layer, t, pass);
        return kernel == Kernel::convolve ? convolve_pass(t, pass, output) : library_pass(layer, t, pass);
    };
    run();
    for (auto _ : planted(state)) benchmark::DoNotOptimize(run());
    state.counters["GFLOP/s"] = benchmark::Counter(
        layer.operations() * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

std::vector<Layer> layers() {
    const char* size = std::getenv("MTLPRUNE_BENCH_SIZE");
    if (size != nullptr && std::string(size) == "small")
        return {{16, 3, 8, 3, 1, 80},    {16, 8, 8, 3, 1, 80},    {16, 16, 16, 3, 1, 40},
                {16, 32, 32, 3, 1, 20},  {16, 64, 64, 3, 1, 10},  {16, 64, 128, 3, 1, 10},
                {16, 64, 128, 3, 2, 10}, {16, 64, 128, 3, 4, 10}, {16, 64, 128, 3, 6, 10},
                {16, 128, 128, 1, 1, 10}};
    return {{4, 3, 64, 3, 1, 321},    {4, 64, 64, 3, 1, 321},    {4, 64, 128, 3, 1, 160},
            {4, 128, 128, 3, 1, 160}, {4, 128, 256, 3, 1, 80},   {4, 256, 256, 3, 1, 80},
            {4, 256, 512, 3, 1, 40},  {4, 512, 512, 3, 1, 40},   {4, 512, 512, 3, 1, 20},
            {4, 512, 1024, 3, 1, 10}, {4, 512, 1024, 3, 2, 10},  {4, 512, 1024, 3, 4, 10},
            {4, 512, 1024, 3, 6, 10}, {4, 1024, 1024, 1, 1, 10}, {4, 256, 256, 3, 2, 17},
            {4, 512, 512, 3, 4, 17},  {4, 256, 256, 3, 2, 41},   {4, 512, 512, 3, 4, 41}};
}

void register_all() {
    const std::pair<Kernel, const char*> kernels[] = {{Kernel::contiguous, "contiguous"},
                                                      {Kernel::channels_last, "channels_last"},
                                                      {Kernel::taps, "taps"},
                                                      {Kernel::winograd, "winograd"},
                                                      {Kernel::convolve, "convolve"}};
    const std::pair<Pass, const char*> passes[] = {{Pass::forward, "forward"},
                                                   {Pass::input_gradient, "input_gradient"},
                                                   {Pass::weight_gradient, "weight_gradient"}};
    for (const auto& layer : layers())
        for (const auto& [pass, pass_name] : passes)
            for (const auto& [kernel, kernel_name] : kernels) {
                if (kernel == Kernel::winograd && layer.kernel != 3) continue;
                benchmark::RegisterBenchmark(
                    fmt::format("{}/{}/{}", layer.name(), pass_name, kernel_name).c_str(),
                    [layer, kernel = kernel, pass = pass](benchmark::State& state) {
                        measure(state, layer, kernel, pass);
                    })
                    ->UseRealTime()
                    ->Unit(benchmark::kMillisecond);
            }
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    mtlprune::set_up_process(argv);
    const char* threads = std::getenv("MTLPRUNE_BENCH_THREADS");
    at::set_num_threads(threads == nullptr ? 2 : std::atoi(threads));
    mtlprune::register_all();
    mtlprune::add_program_context();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
