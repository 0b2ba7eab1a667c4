// One training iteration and one CosPrune iteration, optimiser step included, on random data.
//
//   build/bin/bench_training_iteration --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//
// MTLPRUNE_BENCH_SIZE=full (default: the paper's network, 321x321, batch 4 to train and 2 to prune) or small
// (widths 8..64, 80x80, batch 16); MTLPRUNE_BENCH_THREADS (default 2). GFLOP/s counts two operations per
// multiply-accumulate of the convolutions, padding included, and no layer twice: forward, weight gradient,
// input gradient except for the first layer; CosPrune's backbone gradients once per task.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>

#include "base/error.h"
#include "bench/random_batch.h"
#include "models/backbones/vgg.h"
#include "models/model_spec.h"
#include "models/process_setup.h"
#include "pruning/schedules/iterative_pruner.h"
#include "training/trainer.h"

namespace mtlprune {
namespace {

std::string environment(const char* name, const std::string& fallback) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? fallback : value;
}

/// The main paper's network; widths as in its backbone, for counting.
struct Network {
    std::string spec = "vgg16/smallaspp";
    std::vector<int64_t> widths = vgg16_channels(), poolings = vgg16_poolings();
    int64_t hidden = 1024;
    std::vector<TaskSpec> tasks = nyuv2_tasks(40);
};

struct Size {
    Network model;
    int64_t side = 321, train_batch = 4, prune_batch = 2;
};

Size size() {
    const auto name = environment("MTLPRUNE_BENCH_SIZE", "full");
    if (name == "full") return {};
    if (name != "small") throw Error("MTLPRUNE_BENCH_SIZE", "size", "full or small", name);
    Size small;
    small.model.spec = "vgg16:width=0.125,pools=3/smallaspp:hidden=64";
    small.model.widths = {8, 8, 16, 16, 32, 32, 32, 64, 64, 64, 64, 64, 64};
    small.model.poolings = {2, 4, 7};
    small.model.hidden = 64;
    small.side = 80;
    small.train_batch = small.prune_batch = 16;
    return small;
}

ModelPtr network_of(const Size& size) {
    const auto model = make_model(size.model.spec, size.model.tasks);
    model->initialise(1);
    model->train();
    return model;
}

/// Floating-point operations of an iteration with `backward_passes` through the backbone.
double operations(const Size& size, int64_t batch, int64_t backward_passes) {
    double backbone = 0, first = 0, heads = 0;
    int64_t inputs = 3, side = size.side;
    for (size_t l = 0; l < size.model.widths.size(); ++l) {
        const double macs = 9.0 * static_cast<double>(inputs * size.model.widths[l] * side * side);
        backbone += macs;
        if (l == 0) first = macs;
        inputs = size.model.widths[l];
        for (const int64_t pool : size.model.poolings)
            if (pool == static_cast<int64_t>(l) + 1) side /= 2;
    }
    const int64_t width = size.model.hidden;
    for (const auto& task : size.model.tasks)
        heads += 4.0 * static_cast<double>((9 * inputs + width + task.channels) * width * side * side);
    const auto passes = static_cast<double>(backward_passes);
    return 2.0 * static_cast<double>(batch) * (3 * heads + (1 + 2 * passes) * backbone - passes * first);
}

void report(benchmark::State& state, double operations) {
    state.counters["GFLOP/s"] = benchmark::Counter(
        operations * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void training_iteration(benchmark::State& state) {
    const auto size = mtlprune::size();
    Trainer trainer(network_of(size), {.optimizer = default_optimizer(OptimizerKind::adam)});
    const auto batch = random_batch(size.train_batch, size.side);
    trainer.step(batch);
    for (auto _ : state) trainer.step(batch);
    report(state, operations(size, size.train_batch, 1));
}
BENCHMARK(training_iteration)->Iterations(1)->UseRealTime()->Unit(benchmark::kSecond);

void cosprune_iteration(benchmark::State& state) {
    const auto size = mtlprune::size();
    const auto model = network_of(size);
    IterativePrunerOptions options;
    options.frequency = 1000000;  // no event within the measurement
    options.allocation = lowest_of_shared(100, 5);
    const auto pruner = std::make_shared<IterativePruner>(model, torch::zeros({1, 3, size.side, size.side}),
                                                          criteria().make("cosprune"), options);
    Trainer trainer(model, {.optimizer = default_optimizer(OptimizerKind::adamw)}, {pruner});
    const auto batch = random_batch(size.prune_batch, size.side);
    trainer.step(batch);
    for (auto _ : state) trainer.step(batch);
    report(state, operations(size, size.prune_batch, static_cast<int64_t>(size.model.tasks.size())));
}
BENCHMARK(cosprune_iteration)->Iterations(1)->UseRealTime()->Unit(benchmark::kSecond);

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    try {
        mtlprune::set_up_process(argv);
        at::set_num_threads(std::atoi(mtlprune::environment("MTLPRUNE_BENCH_THREADS", "2").c_str()));
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << error.what() << "\n";
        return 2;
    }
    return 0;
}
