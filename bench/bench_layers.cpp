// Every convolution of a network by itself, before and after pruning, all in turns: where
// multiply-accumulates fell and time did not.
//
//   build/bin/bench_layers --network published-18 --engine torchscript --batch 1 --benchmark_out=layers.json
//   python3 bench/figures/layers.py layers.json layers.png
//
// The first network is what the others are compared with; they must have the same layers.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <boost/program_options.hpp>
#include <optional>
#include <thread>

#include "bench/kit/engine.h"
#include "bench/kit/latency_flags.h"
#include "bench/kit/layers.h"
#include "bench/kit/program.h"
#include "bench/kit/report.h"
#include "bench/kit/session.h"
#include "bench/kit/variants.h"
#include "pruning/coupling/groups.h"

namespace mtlprune {
namespace {

namespace po = boost::program_options;

struct Options {
    std::string model;
    std::vector<std::string> networks, engines;
    int64_t batch = 1, size = 321;
    /// As many runs of short layers as of long ones.
    LatencyOptions latency = {.warm_up_runs = 5, .warm_up_seconds = 0, .seconds = 0, .runs = 200};
    int threads = 1;
};

using Layers = std::vector<LayerShape>;

Layers layers_of(const std::string& network, const Options& options) {
    const auto spec = parse_model_spec(options.model, "--model");
    const auto tasks = nyuv2_tasks(40);
    const auto image = torch::zeros({options.batch, 3, options.size, options.size});
    const auto model = build_variant(make_variant(network, spec, tasks, image), spec, tasks);
    const auto forward = [&](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); };
    return convolutions_of(couple(*model, forward, {image}).graph);
}

/// All layers of all networks on one engine.
class LayerBenchmarks {
  public:
    LayerBenchmarks(std::string engine, const std::vector<Layers>& networks, const LatencyOptions& latency,
                    const MachinePeak& peak)
        : engine_(std::move(engine)),
          networks_(networks),
          peak_(peak),
          session_([this] { return prepare(); }, networks.size() * networks[0].size(), latency,
                   engine_ + " layer by layer") {}
    LayerBenchmarks(const LayerBenchmarks&) = delete;
    LayerBenchmarks& operator=(const LayerBenchmarks&) = delete;
    ~LayerBenchmarks() = default;

    void report(benchmark::State& state, size_t network, size_t layer) {
        const size_t subject = network * networks_[0].size() + layer;
        const auto& latencies = session_.next(subject);
        const auto& shape = networks_[network][layer];
        const auto summary = summarise(latencies[subject], /*least_seconds=*/0);
        report_latencies(state, summary);
        report_work(state, static_cast<double>(shape.macs), summary.p50, peak_.flops());
        state.counters["layer"] = static_cast<double>(layer);
        state.counters["inputs"] = static_cast<double>(shape.input[1]);
        state.counters["outputs"] = static_cast<double>(shape.weight[0]);
        state.counters["height"] = static_cast<double>(shape.input[2]);
        state.counters["width"] = static_cast<double>(shape.input[3]);
        if (network > 0)
            report_speed_up(state, latencies[layer], latencies[subject],
                            static_cast<double>(networks_[0][layer].macs) / static_cast<double>(shape.macs));
    }

  private:
    std::vector<std::unique_ptr<Subject>> prepare() {
        const auto engine = engines().make(engine_);
        std::vector<std::unique_ptr<Subject>> subjects;
        for (const auto& layers : networks_)
            for (const auto& layer : layers)
                subjects.push_back(prepare_checked(
                    *engine, engine_, {[&layer] { return layer_model(layer); }, torch::randn(layer.input)}));
        return subjects;
    }

    std::string engine_;
    std::vector<Layers> networks_;
    MachinePeak peak_;
    Session session_;
};

/// Nothing after --help.
std::optional<Options> read_options(const std::vector<std::string>& arguments) {
    Options options;
    po::options_description known("options");
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    known.add_options()("help", "this text")(
        "model", po::value(&options.model)->default_value("vgg16/smallaspp"), "of mtlprune models")(
        "network",
        po::value(&options.networks)
            ->default_value({"dense", "published-18", "published-18:round_to=8"},
                            "dense, published-18 and published-18:round_to=8"),
        variant_forms().c_str())(
        "engine",
        po::value(&options.engines)->default_value({"mtlprune", "torchscript"}, "mtlprune and torchscript"),
        "as of bench_inference")("batch", po::value(&options.batch)->default_value(1), "images per run")(
        "size", po::value(&options.size)->default_value(321), "height and width of the images")(
        "threads", po::value(&options.threads)->default_value(cores), "of LibTorch");
    add_latency_flags(known, options.latency);
    po::variables_map values;
    po::store(po::command_line_parser(arguments).options(known).positional({}).run(), values);
    po::notify(values);
    if (values.count("help") == 0) return options;
    std::cout << "usage: bench_layers [OPTIONS] [--benchmark_...]\n\n" << known;
    return std::nullopt;
}

bool register_layers(const std::vector<std::string>& arguments) {
    const auto options = read_options(arguments);
    if (!options) return false;
    at::set_num_threads(options->threads);
    std::vector<Layers> networks;
    for (const auto& network : options->networks) {
        networks.push_back(layers_of(network, *options));
        if (networks.back().size() != networks[0].size())
            throw Error("bench_layers", network,
                        fmt::format("the {} convolutions of {}", networks[0].size(), options->networks[0]),
                        std::to_string(networks.back().size()));
    }
    const auto peak = peak_in_context();
    for (const auto& engine : options->engines) {
        const auto benchmarks = std::make_shared<LayerBenchmarks>(engine, networks, options->latency, peak);
        for (size_t layer = 0; layer < networks[0].size(); ++layer)
            for (size_t n = 0; n < networks.size(); ++n)
                register_report(
                    fmt::format("layer/{}/{}/{}/batch:{}/size:{}/{}", options->model, options->networks[n],
                                engine, options->batch, options->size, networks[0][layer].name),
                    engine,
                    [benchmarks, n, layer](benchmark::State& state) { benchmarks->report(state, n, layer); });
    }
    return true;
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    return mtlprune::run_benchmarks(argc, argv, mtlprune::register_layers);
}
