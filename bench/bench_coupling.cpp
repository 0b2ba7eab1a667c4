// Finding the channels that leave together, and removing them, on exported networks
// (tests/pruning/export_networks.py): trace (no forward pass), coupling, scoring, surgery, and all of them
// (whole), by several criteria too (whole_by). `copy_limit` copies as many bytes as surgery writes;
// `read_limit` reads the cache lines that surgery has to read (whatever stays of a line, all of it comes) and
// writes nothing; `copy_all` copies all weights. chain_of_linears: trace and coupling of a residual network
// of up to a billion parameters, whose weights are never touched and so take no memory.
//
//   MTLPRUNE_NETWORKS_DIR=build/real_networks build/bin/bench_coupling --benchmark_filter='/resnet50$'
//
// Half of every group's channels leaves, by L2 norm. Counters: nodes, groups, channels; parameters in 10^6.
#include <benchmark/benchmark.h>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/script.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <numeric>

#include "base/atomic_file.h"
#include "bench/kit/program_context.h"
#include "models/process_setup.h"
#include "pruning/allocation/allocation.h"
#include "pruning/criteria/criterion.h"
#include "pruning/graph/script_graph.h"
#include "pruning/graph/script_network.h"
#include "pruning/network/network.h"

namespace mtlprune {
namespace {

/// One exported network and what all its benchmarks start from.
struct Subject {
    std::string name;
    torch::jit::Module module;
    std::vector<c10::IValue> inputs;
};

Subject load(const std::filesystem::path& path) {
    const auto io = path.string().substr(0, path.string().size() - 3) + ".io.pt";
    const auto bytes = read_file(io);
    const auto image =
        torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict().at("input").toTensor();
    Subject subject{path.stem().string(), torch::jit::load(path.string()), {image}};
    // Compiles the text of all methods, which LibTorch puts off until someone asks for them: a part of
    // loading.
    torch::jit::Inline(*subject.module.get_method("forward").graph()->copy());
    return subject;
}

std::vector<std::vector<int64_t>> weaker_half(const Coupling& coupling,
                                              const std::vector<torch::Tensor>& scores) {
    return allocate(coupling, coupling.groups, scores, {}).removed;
}

int64_t channels(const std::vector<Group>& groups) {
    int64_t total = 0;
    for (const auto& group : groups) total += group.channels;
    return total;
}

std::vector<torch::Tensor> l2_scores(const Coupling& coupling, const StoredTensors& tensors) {
    return scores_without_data(*criteria().make("l2"), coupling.graph, coupling.groups, tensors).scores;
}

void describe(benchmark::State& state, const Coupling& coupling) {
    state.counters["nodes"] = static_cast<double>(coupling.graph.nodes.size());
    state.counters["groups"] = static_cast<double>(coupling.groups.size());
    state.counters["channels"] = static_cast<double>(channels(coupling.groups));
    state.counters["parameters_M"] = static_cast<double>(cost_of(coupling.graph).parameters) * 1e-6;
}

void trace_only(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    for (auto _ : state) {
        auto result = trace(subject.module, subject.inputs);
        benchmark::DoNotOptimize(result);
    }
}

void couple_only(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    const auto graph = trace(subject.module, subject.inputs).graph;
    for (auto _ : state) {
        state.PauseTiming();
        auto copy = graph;
        state.ResumeTiming();
        auto result = couple(std::move(copy));
        benchmark::DoNotOptimize(result);
    }
    describe(state, couple(graph));
}

void score_only(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    const auto coupling = couple(subject.module, subject.inputs);
    const auto tensors = stored_tensors(subject.module);
    for (auto _ : state) {
        auto result = l2_scores(coupling, tensors);
        benchmark::DoNotOptimize(result);
    }
    state.SetBytesProcessed(state.iterations() * 4 * cost_of(coupling.graph).parameters);
}

void surgery_only(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    int64_t written = 0;
    for (auto _ : state) {
        state.PauseTiming();
        {
            auto module = subject.module.deepcopy();
            const auto coupling = couple(module, subject.inputs);
            const auto scores = l2_scores(coupling, stored_tensors(module));
            const auto plan = make_plan(coupling.groups, weaker_half(coupling, scores));
            state.ResumeTiming();
            apply_plan(module, coupling, plan);
            state.PauseTiming();
            written = 0;
            for (const auto& parameter : module.parameters()) written += 4 * parameter.numel();
        }
        state.ResumeTiming();
    }
    state.SetBytesProcessed(state.iterations() * written);
}

/// Copies so many elements of every parameter out of a network copied just before, as surgery's is.
void time_copies(benchmark::State& state, const Subject& subject, const std::vector<int64_t>& elements) {
    for (auto _ : state) {
        state.PauseTiming();
        auto module = subject.module.deepcopy();
        std::vector<torch::Tensor> sources, copies(elements.size());
        for (const auto& parameter : module.parameters())
            sources.push_back(parameter.detach().flatten().narrow(0, 0, elements[sources.size()]));
        state.ResumeTiming();
        for (size_t i = 0; i < sources.size(); ++i) copies[i] = sources[i].clone();
        state.PauseTiming();
        module = {};
        state.ResumeTiming();
    }
    state.SetBytesProcessed(state.iterations() * 4 *
                            std::accumulate(elements.begin(), elements.end(), int64_t{0}));
}

std::vector<int64_t> elements_of(const torch::jit::Module& module) {
    std::vector<int64_t> elements;
    for (const auto& parameter : module.parameters()) elements.push_back(parameter.numel());
    return elements;
}

/// As many bytes of every parameter as surgery would leave.
void copy_limit(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    auto pruned = subject.module.deepcopy();
    const auto coupling = couple(pruned, subject.inputs);
    const auto scores = l2_scores(coupling, stored_tensors(pruned));
    apply_plan(pruned, coupling, make_plan(coupling.groups, weaker_half(coupling, scores)));
    time_copies(state, subject, elements_of(pruned));
}

void copy_all(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    time_copies(state, subject, elements_of(subject.module));
}

/// Neighbouring cache lines of a tensor.
struct Lines {
    size_t parameter;
    int64_t first, count;
};

constexpr int64_t kWordsPerLine = 16;

/// The lines of a tensor of which something stays.
void add_lines(std::vector<Lines>& lines, size_t parameter, const torch::Tensor& stays) {
    const auto flat = stays.flatten();
    const auto padding = (kWordsPerLine - flat.numel() % kWordsPerLine) % kWordsPerLine;
    const auto needed = torch::constant_pad_nd(flat, {0, padding}).view({-1, kWordsPerLine}).any(1);
    const auto* is_needed = needed.data_ptr<bool>();
    for (int64_t line = 0; line < needed.numel(); ++line) {
        if (!is_needed[line]) continue;
        if (line > 0 && is_needed[line - 1])
            ++lines.back().count;
        else
            lines.push_back({parameter, line, 1});
    }
}

/// Of all parameters that lose slices.
std::vector<Lines> lines_to_read(const torch::jit::Module& module, const Plan& plan) {
    std::vector<Lines> lines;
    size_t number = 0;
    for (const auto& item : module.named_parameters()) {
        auto stays = torch::ones(item.value.sizes(), torch::kBool);
        bool shrinks = false;
        for (const auto& removal : plan.slices) {
            if (removal.tensor != item.name) continue;
            stays.index_fill_(removal.dim, torch::tensor(removal.indices, torch::kInt64), 0);
            shrinks = true;
        }
        if (shrinks) add_lines(lines, number, stays);
        ++number;
    }
    return lines;
}

void read_limit(benchmark::State& state, const std::filesystem::path& path) {
    const auto subject = load(path);
    const auto coupling = couple(subject.module, subject.inputs);
    const auto scores = l2_scores(coupling, stored_tensors(subject.module));
    const auto lines =
        lines_to_read(subject.module, make_plan(coupling.groups, weaker_half(coupling, scores)));
    for (auto _ : state) {
        state.PauseTiming();
        auto module = subject.module.deepcopy();
        std::vector<const float*> weights;
        for (const auto& parameter : module.parameters()) weights.push_back(parameter.data_ptr<float>());
        state.ResumeTiming();
        for (const auto& run : lines) {
            const volatile float* word = weights[run.parameter] + run.first * kWordsPerLine;
            for (int64_t i = 0; i < run.count; ++i, word += kWordsPerLine) (void)*word;
        }
        state.PauseTiming();
        module = {};
        state.ResumeTiming();
    }
    int64_t bytes = 0;
    for (const auto& run : lines) bytes += run.count * kWordsPerLine * static_cast<int64_t>(sizeof(float));
    state.SetBytesProcessed(state.iterations() * bytes);
}

/// Scores of a mini-batch whose gradients are there.
std::vector<torch::Tensor> scores_of(Criterion& criterion, const Coupling& coupling,
                                     const StoredTensors& tensors,
                                     const std::map<std::string, torch::Tensor>& gradients) {
    if (!criterion.needs().data())
        return scores_without_data(criterion, coupling.graph, coupling.groups, tensors).scores;
    const Evidence::Structure structure(coupling.graph, coupling.groups);
    Evidence evidence(structure, coupling.groups, open_groups(coupling, coupling.groups, {}), tensors);
    evidence.gradients = gradients;
    evidence.lasting_gradients = true;
    criterion.observe(evidence);
    return criterion.scores(evidence).scores;
}

/// Gradients of the weights, if the criterion looks at them, are there before the time is taken.
void whole_by(benchmark::State& state, const std::filesystem::path& path, const std::string& name) {
    const auto subject = load(path);
    std::map<std::string, torch::Tensor> gradients;
    for (const auto& parameter : subject.module.named_parameters())
        gradients[parameter.name] = torch::randn_like(parameter.value);
    for (auto _ : state) {
        state.PauseTiming();
        auto module = subject.module.deepcopy();
        state.ResumeTiming();
        const auto coupling = couple(module, subject.inputs);
        const auto scores = scores_of(*criteria().make(name), coupling, stored_tensors(module), gradients);
        apply_plan(module, coupling, make_plan(coupling.groups, weaker_half(coupling, scores)));
        state.PauseTiming();
        module = {};
        state.ResumeTiming();
    }
}

void whole(benchmark::State& state, const std::filesystem::path& path) {
    whole_by(state, path, "l2");
}

/// y += down(relu(up(y))), `blocks` times, from `width` to 4 * width and back; the memory is mapped, not
/// used.
torch::jit::Module chain(int64_t blocks, int64_t width) {
    torch::jit::Module module("__torch__.chain");
    std::string body = "def forward(self, x):\n    y = torch.linear(x, self.stem)\n";
    module.register_parameter("stem", torch::empty({width, 8}), false);
    for (int64_t i = 0; i < blocks; ++i) {
        module.register_parameter(fmt::format("up{}", i), torch::empty({4 * width, width}), false);
        module.register_parameter(fmt::format("down{}", i), torch::empty({width, 4 * width}), false);
        body += fmt::format(
            "    y = y + torch.linear(torch.relu(torch.linear(y, self.up{0})), self.down{0})\n", i);
    }
    module.register_parameter("head", torch::empty({8, width}), false);
    module.define(body + "    return torch.linear(y, self.head)\n");
    return module;
}

/// 31 blocks of width 2048 have 1.04 billion parameters and 256 thousand channels.
void chain_of_linears(benchmark::State& state) {
    const int64_t blocks = state.range(0), width = state.range(1);
    const auto module = chain(blocks, width);
    const std::vector<c10::IValue> inputs = {torch::zeros({1, 8})};
    for (auto _ : planted(state)) {
        auto result = couple(module, inputs);
        benchmark::DoNotOptimize(result);
    }
    const auto coupling = couple(module, inputs);
    describe(state, coupling);
    state.SetComplexityN(channels(coupling.groups));
}
BENCHMARK(chain_of_linears)
    ->Args({4, 2048})
    ->Args({8, 2048})
    ->Args({16, 2048})
    ->Args({31, 2048})
    ->Complexity()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(chain_of_linears)
    ->Args({31, 128})
    ->Args({31, 512})
    ->Args({31, 2048})
    ->Complexity()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void register_networks() {
    const char* folder = std::getenv("MTLPRUNE_NETWORKS_DIR");
    if (folder == nullptr) return;
    using Body = void (*)(benchmark::State&, const std::filesystem::path&);
    const std::pair<const char*, Body> stages[] = {{"trace", trace_only},      {"coupling", couple_only},
                                                   {"scoring", score_only},    {"surgery", surgery_only},
                                                   {"copy_limit", copy_limit}, {"read_limit", read_limit},
                                                   {"copy_all", copy_all},     {"whole", whole}};
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto& path = entry.path();
        if (path.extension() != ".pt" || !path.stem().extension().empty()) continue;
        for (const auto& [stage, body] : stages)
            benchmark::RegisterBenchmark(fmt::format("{}/{}", stage, path.stem().string()).c_str(), body,
                                         path)
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
        for (const char* criterion : {"l1", "l2", "bn_scale", "lamp", "fpgm", "taylor_weight"})
            benchmark::RegisterBenchmark(
                fmt::format("whole_by/{}/{}", criterion, path.stem().string()).c_str(),
                [path, criterion](benchmark::State& state) { whole_by(state, path, criterion); })
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
    }
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    const torch::NoGradGuard no_grad;
    mtlprune::set_up_process(argv);
    const char* threads = std::getenv("OMP_NUM_THREADS");
    at::set_num_threads(threads == nullptr ? 1 : std::max(1, std::atoi(threads)));
    mtlprune::register_networks();
    mtlprune::add_program_context();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
