// An entire iterative CosPrune run, from the dense network until every layer is at its floor: `removed` takes
// filters out; `masked` multiplies them by zero and does the same passes otherwise; `released` is masked and
// does the released code's passes (the backbone runs forward once per task, and backward for every task and
// twice for the sum of the losses) with LibTorch's convolutions, its score bookkeeping left out. `small`:
// widths 8..64, 80x80, batch 8, 1 thread, 18 filters per event; `full`: the paper's 84 million parameters,
// 321x321, batch 2, 2 threads, 100 filters per event. `removed` does four iterations per event (the paper's
// run 500), because the first one of a new shape also pays for fresh memory; the others, whose shapes stay,
// one. Compare s/iteration. `paper_macs` is computed, not timed.
//
//   build/bin/bench_pruning_run --benchmark_filter=small --benchmark_repetitions=3
//       --benchmark_enable_random_interleaving=true
//
// Counters: events; s/iteration; macs = multiply-accumulates of an iteration's convolutions, in 10^12.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <torch/autograd.h>

#include <cstdlib>

#include "bench/random_batch.h"
#include "models/backbones/vgg.h"
#include "models/model_spec.h"
#include "models/process_setup.h"
#include "pruning/schedules/iterative_pruner.h"
#include "training/trainer.h"

namespace mtlprune {
namespace {

/// The main paper's network; widths as in its backbone, for counting.
struct Network {
    std::string spec = "vgg16/smallaspp";
    std::vector<int64_t> widths = vgg16_channels(), poolings = vgg16_poolings();
    int64_t hidden = 1024;
    std::vector<TaskSpec> tasks = nyuv2_tasks(40);
};

struct Run {
    Network model;
    int64_t side = 80, batch = 8, filters_per_event = 18, floor = 5;
    int threads = 1;
};

Run small_run() {
    Run run;
    run.model.spec = "vgg16:width=0.125,pools=3/smallaspp:hidden=64";
    run.model.widths = {8, 8, 16, 16, 32, 32, 32, 64, 64, 64, 64, 64, 64};
    run.model.poolings = {2, 4, 7};
    run.model.hidden = 64;
    return run;
}

Run full_run() {
    Run run;
    run.side = 321;
    run.batch = 2;
    run.filters_per_event = 100;
    run.threads = 2;
    return run;
}

/// Multiply-accumulates of one image: all backbone layers, the first one, all heads.
struct Macs {
    double backbone = 0, first = 0, heads = 0;
};

Macs forward_macs(const Network& model, const std::vector<int64_t>& widths, int64_t side) {
    Macs macs;
    int64_t inputs = 3;
    for (size_t l = 0; l < widths.size(); ++l) {
        const double layer = 9.0 * static_cast<double>(inputs * widths[l] * side * side);
        macs.backbone += layer;
        if (l == 0) macs.first = layer;
        inputs = widths[l];
        for (const int64_t pool : model.poolings)
            if (pool == static_cast<int64_t>(l) + 1) side /= 2;
    }
    for (const auto& task : model.tasks) {
        const int64_t branch = 9 * inputs + model.hidden + task.channels;
        macs.heads += 4.0 * static_cast<double>(branch * model.hidden * side * side);
    }
    return macs;
}

/// One iteration: forward, weight and input gradients, the backbone's `forwards` and `backwards` times and
/// the heads' `head_backwards` times.
double iteration_macs(const Macs& macs, double forwards, double backwards, double head_backwards) {
    return forwards * macs.backbone + backwards * (2 * macs.backbone - macs.first) +
           (1 + 2 * head_backwards) * macs.heads;
}

enum class Method { removed, masked, released };

/// The backward passes of the released code beyond those of one pruner's step; gradients are dropped.
void released_passes(Model& model, const Batch& batch) {
    const auto parameters = model.parameters();
    const auto& tasks = model.tasks();
    std::vector<torch::Tensor> losses;
    for (size_t t = 0; t < tasks.size(); ++t)
        losses.push_back(
            task_loss(tasks[t], model.predict(t, model.features(batch.image)), batch.targets[t]));
    const auto total = losses[0] + losses[1] + losses[2];
    const auto backward = [&](const torch::Tensor& loss) {
        torch::autograd::grad({loss}, parameters, {}, /*retain_graph=*/true, false, /*allow_unused=*/true);
    };
    for (const auto& loss : losses) backward(loss);
    backward(total);
    backward(total);
}

void dense_to_floor(benchmark::State& state, const Run& run, Method method) {
    const bool mask = method != Method::removed;
    at::set_num_threads(run.threads);
    const auto batch = random_batch(run.batch, run.side);
    for (auto _ : state) {
        const ModelPtr model = make_model(run.model.spec, run.model.tasks);
        model->initialise(1);
        model->train();
        if (method == Method::released) use_kernels(*model, ConvolutionKernels::library);
        IterativePrunerOptions options;
        options.frequency = method == Method::removed ? 4 : 1;
        options.allocation = lowest_of_shared(run.filters_per_event, run.floor);
        options.edit = mask ? EditKind::mask : EditKind::remove;
        const auto shared = std::make_shared<IterativePruner>(model, torch::zeros({1, 3, run.side, run.side}),
                                                              criteria().make("cosprune"), options);
        const auto& pruner = *shared;
        Trainer trainer(model, {.optimizer = default_optimizer(OptimizerKind::adamw)}, {shared});
        double macs = 0;
        while (!pruner.finished()) {
            const auto widths = mask ? run.model.widths : pruner.widths();
            const bool released = method == Method::released;
            macs += static_cast<double>(run.batch) * iteration_macs(forward_macs(run.model, widths, run.side),
                                                                    released ? 3 : 1, released ? 9 : 3,
                                                                    released ? 3 : 1);
            if (released) {
                // The step below chooses the filters; it is the released loop's bookkeeping, not timed.
                released_passes(*model, batch);
                state.PauseTiming();
                trainer.take_gradients(batch);
                state.ResumeTiming();
                trainer.optimizer().step();
            } else {
                trainer.step(batch);
            }
        }
        state.counters["events"] = static_cast<double>(pruner.events().size());
        const auto iterations = static_cast<double>(pruner.iteration());
        state.counters["macs"] = macs * 1e-12 / iterations;
        state.counters["s/iteration"] =
            benchmark::Counter(iterations, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    }
}

void register_runs() {
    const std::pair<const char*, Run> runs[] = {{"small", small_run()}, {"full", full_run()}};
    const std::pair<const char*, Method> methods[] = {
        {"removed", Method::removed}, {"masked", Method::masked}, {"released", Method::released}};
    for (const auto& [size, run] : runs)
        for (const auto& [name, method] : methods)
            benchmark::RegisterBenchmark(fmt::format("dense_to_floor/{}/{}", size, name).c_str(),
                                         dense_to_floor, run, method)
                ->Iterations(1)
                ->UseRealTime()
                ->Unit(benchmark::kSecond);
}

/// The paper's run (4224 filters, 100 per event, floor 5) when every layer shrinks in proportion to its
/// width: the ratio of multiply-accumulates, not of time. `vs_masks`: the same iteration at full size;
/// `vs_released`: the released code's passes (3 backbone forwards, 9 backbone and 3 head backwards).
void paper_macs(benchmark::State& state) {
    const Run run = {};
    const Network& model = run.model;
    constexpr double kSide = 321, kPerEvent = 100, kFilters = 4224;
    double removed = 0, masks = 0, released = 0;
    for (auto _ : state) {
        removed = masks = released = 0;
        const Macs dense = forward_macs(model, model.widths, static_cast<int64_t>(kSide));
        const double last = kFilters - static_cast<double>(model.widths.size()) * 5;
        for (double gone = 0; gone < last; gone += kPerEvent) {
            std::vector<int64_t> widths;
            for (const int64_t width : model.widths)
                widths.push_back(
                    5 + static_cast<int64_t>(static_cast<double>(width - 5) * (1 - gone / last) + 0.5));
            removed += iteration_macs(forward_macs(model, widths, static_cast<int64_t>(kSide)), 1, 3, 1);
            masks += iteration_macs(dense, 1, 3, 1);
            released += iteration_macs(dense, 3, 9, 3);
        }
    }
    state.counters["vs_masks"] = masks / removed;
    state.counters["vs_released"] = released / removed;
}
BENCHMARK(paper_macs)->Iterations(1);

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    mtlprune::set_up_process(argv);
    mtlprune::register_runs();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
