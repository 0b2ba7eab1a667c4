// What methods cost: every criterion and regulariser of the registries on one network and mini-batch, beside
// a training iteration.
//
//   build/bin/bench_criteria --benchmark_out=build/criteria.json --benchmark_out_format=json
//   build/bin/bench_criteria --benchmark_filter='step/(l2|thinet|hrank)/' --benchmark_min_time=0.01
//
// score/NAME     one mini-batch observed (its gradients are there, as in training) and all channels scored:
//                ResNet-50 with heads for NYUv2's three tasks, 4 images of 64x64. `forward_passes`: of its
//                own over the mini-batch. `training` is an iteration of the trainer on it.
// iteration/NAME an iteration with that regulariser.
// step/NAME      a step of PruningBench: 10 mini-batches of 128 images observed, half of every group
//                chosen and taken out, coupling included. ResNet-50 on 128x128: behind the stem, maps of the
//                size that CIFAR's 32x32 images have there without one.
// MTLPRUNE_BENCH_THREADS as in bench_training_iteration.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <limits>

#include "bench/random_batch.h"
#include "models/model_spec.h"
#include "models/process_setup.h"
#include "pruning/network/network.h"
#include "pruning/network/pruner.h"
#include "pruning/schedules/iterative_pruner.h"
#include "pruning/schedules/model_passes.h"
#include "training/trainer.h"

namespace mtlprune {
namespace {

constexpr const char* kModel = "resnet50/smallaspp:hidden=16";
constexpr int64_t kSide = 64, kBatch = 4;
constexpr int64_t kStepSide = 128, kStepBatch = 128, kStepBatches = 10;

std::shared_ptr<MultiTaskModel> network_of() {
    auto model = make_model(kModel, nyuv2_tasks(40));
    model->initialise(1);
    return model;
}

/// Counts the samples that run forward.
Passes counted(Passes passes, int64_t& forwards) {
    Passes all = passes;
    all.outputs = [passes, &forwards](const torch::Tensor& input) {
        forwards += input.size(0);
        return passes.outputs(input);
    };
    all.losses = [passes, &forwards](SampleRange rows) {
        forwards += rows.count();
        return passes.losses(rows);
    };
    all.drawn_losses = [passes, &forwards](SampleRange rows, uint64_t key) {
        forwards += rows.count();
        return passes.drawn_losses(rows, key);
    };
    return all;
}

/// A network, coupled, with the evidence of one mini-batch.
class Subject {
  public:
    Subject(const std::string& criterion, const Batch& batch)
        : model_(network_of()),
          network_(*model_,
                   [this](const std::vector<torch::Tensor>& in) { return model_->forward(in.at(0)); },
                   {batch.image.narrow(0, 0, 1)}),
          pruner_(network_.couple({}), criteria().make(criterion), {}),
          tensors_(network_.tensors()),
          passes_(counted(model_passes(*model_, batch, Fidelity::corrected), forwards_)) {
        const auto needs = pruner_.criterion().needs();
        if (needs.gradients || needs.task_gradients || needs.gates)
            add_gradients(evidence_, needs,
                          task_losses(model_->tasks(), model_->forward(batch.image), batch.targets),
                          tensors_);
        evidence_.own_passes = &passes_;
    }

    void observe() {
        const auto mode = passes_.in_mode(/*training=*/false);
        pruner_.criterion().observe(evidence_);
    }
    void score() {
        observe();
        benchmark::DoNotOptimize(pruner_.criterion().scores(evidence_));
    }
    /// Takes out what the criterion thinks least of.
    void prune() {
        const torch::NoGradGuard no_grad;
        const auto event = pruner_.next(evidence_);
        Pruner::repair(tensors_, event);
        network_.apply(pruner_.coupling(), event.plan, {});
    }
    int64_t forwards() const { return forwards_; }

  private:
    std::shared_ptr<MultiTaskModel> model_;
    ModuleNetwork network_;
    Pruner pruner_;
    StoredTensors tensors_;
    int64_t forwards_ = 0;
    Passes passes_;
    Evidence evidence_ = pruner_.evidence(tensors_);
};

void score(benchmark::State& state, const std::string& name) {
    const auto batch = random_batch(kBatch, kSide);
    Subject subject(name, batch);
    for (auto _ : state) subject.score();
    if (subject.forwards() == 0) return;  // of zeros Google Benchmark writes NaN, which is no JSON
    state.counters["forward_passes"] = static_cast<double>(subject.forwards()) /
                                       static_cast<double>(kBatch * static_cast<int64_t>(state.iterations()));
}

void training(benchmark::State& state) {
    const auto batch = random_batch(kBatch, kSide);
    const auto model = network_of();
    model->train();
    Trainer trainer(model, {.optimizer = default_optimizer(OptimizerKind::adam)});
    for (auto _ : state) trainer.step(batch);
}

void step(benchmark::State& state, const std::string& name) {
    const auto batch = random_batch(kStepBatch, kStepSide);
    for (auto _ : state) {
        Subject subject(name, batch);
        if (criteria().make(name)->needs().passes)
            for (int64_t i = 0; i < kStepBatches; ++i) subject.observe();
        subject.prune();
    }
}

template <typename Body>
void add(const std::string& name, Body body) {
    benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void regularized(benchmark::State& state, const std::string& name) {
    const auto batch = random_batch(kBatch, kSide);
    const auto model = network_of();
    model->train();
    IterativePrunerOptions options;
    options.frequency = std::numeric_limits<int32_t>::max();
    const auto pruner = std::make_shared<IterativePruner>(
        model, batch.image.narrow(0, 0, 1), criteria().make("l2"), options, regularizers().make(name));
    Trainer trainer(model, {.optimizer = default_optimizer(OptimizerKind::adam)}, {pruner});
    for (auto _ : state) trainer.step(batch);
}

void register_methods() {
    add("training", training);
    for (const auto& entry : regularizers().entries())
        add("iteration/" + entry.key,
            [name = entry.key](benchmark::State& state) { regularized(state, name); });
    for (const auto& entry : criteria().entries())
        add("score/" + entry.key, [name = entry.key](benchmark::State& state) { score(state, name); });
    for (const auto* name : {"l2", "thinet", "hrank"})
        add(fmt::format("step/{}", name), [name](benchmark::State& state) { step(state, name); });
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    try {
        mtlprune::set_up_process(argv);
        const char* threads = std::getenv("MTLPRUNE_BENCH_THREADS");
        at::set_num_threads(threads == nullptr ? 2 : std::max(1, std::atoi(threads)));
        mtlprune::register_methods();
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << error.what() << "\n";
        return 2;
    }
    return 0;
}
