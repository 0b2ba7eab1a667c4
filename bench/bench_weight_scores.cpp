// Scores of all channels against the time that reading the same bytes takes.
//
//   build/bin/bench_weight_scores --benchmark_repetitions=5
//
// `read` adds up the words of the weights as integers: the memory bandwidth that a single
// pass can have. `sums` is the fused pass of pruning/evidence/weight_sums.h, `scores` all of the criterion l2
// on groups in which every layer produces the next one's input. Bytes per second count every weight once.
// MTLPRUNE_BENCH_THREADS as in bench_training_iteration.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <bit>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <string>

#include "bench/kit/program_context.h"
#include "pruning/criteria/criterion.h"
#include "pruning/evidence/weight_sums.h"

namespace mtlprune {
namespace {

using Shape = std::vector<int64_t>;

std::vector<Shape> vgg16() {
    std::vector<Shape> shapes;
    int64_t in = 3;
    for (const int64_t out : {64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512}) {
        shapes.push_back({out, in, 3, 3});
        in = out;
    }
    shapes.insert(shapes.end(), {{4096, 25088}, {4096, 4096}, {1000, 4096}});
    return shapes;
}

/// Bottlenecks one after the other; the shortcut's convolutions among them.
std::vector<Shape> resnet50() {
    std::vector<Shape> shapes = {{64, 3, 7, 7}};
    int64_t in = 64, width = 64;
    for (const int blocks : {3, 4, 6, 3}) {
        for (int block = 0; block < blocks; ++block) {
            if (block == 0) shapes.push_back({4 * width, in, 1, 1});
            shapes.insert(shapes.end(), {{width, in, 1, 1}, {width, width, 3, 3}, {4 * width, width, 1, 1}});
            in = 4 * width;
        }
        width *= 2;
    }
    shapes.push_back({1000, 2048});
    return shapes;
}

struct Network {
    std::vector<torch::Tensor> weights;
    TracedGraph graph;
    std::vector<Group> groups;
    StoredTensors tensors;
    int64_t bytes = 0;
};

Member member(const std::string& tensor, int64_t dim, int64_t channels, int64_t per_channel, Role role) {
    Member result{tensor, dim, role, false, per_channel, {}, "aten::_convolution", 1};
    result.indices.resize(channels * per_channel);
    std::iota(result.indices.begin(), result.indices.end(), int64_t{0});
    return result;
}

Network make_network(const std::vector<Shape>& shapes) {
    Network network;
    for (size_t i = 0; i < shapes.size(); ++i) {
        const auto name = std::to_string(i) + ".weight";
        network.weights.push_back(
            torch::empty(shapes[i]).normal_(0.0, 0.1, at::detail::createCPUGenerator(i)));
        network.tensors[name] = network.weights.back();
        network.graph.values.push_back({true, shapes[i], torch::kFloat32});
        network.graph.stored.push_back({name, i, false});
        network.bytes += network.weights.back().numel() * static_cast<int64_t>(sizeof(float));
        auto& group = network.groups.emplace_back(Group{std::to_string(i), shapes[i][0], {}, {}, false, ""});
        group.members.push_back(member(name, 0, shapes[i][0], 1, Role::output));
        const bool has_reader = i + 1 < shapes.size() && shapes[i + 1][1] % shapes[i][0] == 0;
        if (has_reader)
            group.members.push_back(member(std::to_string(i + 1) + ".weight", 1, shapes[i][0],
                                           shapes[i + 1][1] / shapes[i][0], Role::input));
    }
    return network;
}

uint32_t sum_words(const float* data, int64_t count) {
    uint32_t sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; ++i) sum += std::bit_cast<uint32_t>(data[i]);
    return sum;
}

void read(benchmark::State& state, const Network& network) {
    for (auto _ : planted(state))
        for (const auto& weight : network.weights)
            at::parallel_for(0, weight.numel(), 1 << 16, [&](int64_t first, int64_t last) {
                benchmark::DoNotOptimize(sum_words(weight.data_ptr<float>() + first, last - first));
            });
    state.SetBytesProcessed(state.iterations() * network.bytes);
}

void sums(benchmark::State& state, const Network& network) {
    for (auto _ : planted(state)) benchmark::DoNotOptimize(weight_sums(network.weights, Summand::square));
    state.SetBytesProcessed(state.iterations() * network.bytes);
}

void scores(benchmark::State& state, const Network& network) {
    const Evidence::Structure structure(network.graph, network.groups);
    std::vector<size_t> asked(network.groups.size());
    std::iota(asked.begin(), asked.end(), size_t{0});
    const auto criterion = criteria().make("l2");
    for (auto _ : planted(state))
        benchmark::DoNotOptimize(
            criterion->scores(Evidence(structure, network.groups, asked, network.tensors)));
    state.SetBytesProcessed(state.iterations() * network.bytes);
}

/// The network is made when the first of its benchmarks runs: most runs are of one network.
void register_network(const std::string& name, std::vector<Shape> (*shapes)()) {
    const auto network = std::make_shared<std::optional<Network>>();
    const std::pair<const char*, void (*)(benchmark::State&, const Network&)> runs[] = {
        {"read", read}, {"sums", sums}, {"scores", scores}};
    for (const auto& [what, run] : runs)
        benchmark::RegisterBenchmark((name + "/" + what).c_str(),
                                     [network, shapes, run = run](benchmark::State& state) {
                                         if (!*network) *network = make_network(shapes());
                                         run(state, **network);
                                     })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    const char* threads = std::getenv("MTLPRUNE_BENCH_THREADS");
    at::set_num_threads(threads == nullptr ? 2 : std::atoi(threads));
    mtlprune::register_network("vgg16", mtlprune::vgg16);
    mtlprune::register_network("resnet50", mtlprune::resnet50);
    mtlprune::add_program_context();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
