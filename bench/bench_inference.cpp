// Latency of networks before and after pruning, by engine: dense and pruned run in turns in one process.
//
//   build/bin/bench_inference --network dense --network published-18 --network published-18:round_to=8
//       --engine torchscript --engine eager:layout=channels_last --batch 1,8 --benchmark_out=inference.json
//
// What docs/benchmarking.md says about its fields in short: time is the median of the runs; the label says
// whether the numbers may be used; efficiency = speed-up / MAC reduction, against the case's first network.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <boost/program_options.hpp>
#include <map>
#include <optional>
#include <thread>

#include "bench/kit/engine.h"
#include "bench/kit/latency_flags.h"
#include "bench/kit/memory_peak.h"
#include "bench/kit/null_subject.h"
#include "bench/kit/program.h"
#include "bench/kit/report.h"
#include "bench/kit/session.h"
#include "bench/kit/variants.h"
#include "training/callbacks/subnormal_counts.h"
#include "training/flush_denormals.h"

namespace mtlprune {
namespace {

namespace po = boost::program_options;

struct Options {
    std::vector<std::string> models, networks, engines, task_sets;
    std::vector<int64_t> batches, sizes;
    LatencyOptions latency;
    int threads = 1;
};

/// One engine and input, and the networks that run on it in turns.
struct Case {
    std::string model_text;
    ModelSpec model;
    std::string engine;
    int64_t batch, size;
    std::string tasks;  ///< "all", or names separated by '+'
    bool flush;         ///< subnormal numbers to zero
    std::vector<NetworkVariant> networks;
};

std::vector<TaskSpec> all_tasks() {
    return nyuv2_tasks(40);
}

torch::Tensor image_of(const Case& of) {
    auto generator = at::detail::createCPUGenerator(1);
    return torch::empty({of.batch, 3, of.size, of.size}).normal_(0.0, 1.0, generator);
}

ModelPtr build(const Case& of, const NetworkVariant& network) {
    auto model = build_variant(network, of.model, all_tasks());
    return of.tasks == "all" ? model : task_subset(model, split(of.tasks, '+'));
}

int64_t macs_of(const Case& of, const NetworkVariant& network) {
    if (of.tasks == "all") return network.cost.macs;
    const auto model = build(of, network);
    const auto forward = [&](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); };
    return cost_of(couple(*model, forward, {image_of(of)}).graph).macs;
}

/// The largest shares in the weights and in the maps of one pass.
std::pair<double, double> subnormal_shares(Model& model, const torch::Tensor& image) {
    double weights = 0, maps = 0;
    for (const auto& parameter : model.parameters()) weights = std::max(weights, subnormal_share(parameter));
    for (const auto& activation : subnormal_activations(model, image))
        maps = std::max(maps, activation.share);
    return {weights, maps};
}

/// What is the same in every repetition.
struct Facts {
    double macs = 0, subnormal_weights = 0, subnormal_maps = 0;
    std::optional<int64_t> memory;
};

/// All networks of a case, in turns.
class CaseBenchmarks {
  public:
    CaseBenchmarks(Case of, const LatencyOptions& latency, const MachinePeak& peak, double harness)
        : case_(std::move(of)),
          peak_(peak),
          harness_(harness),
          session_([this] { return prepare(); }, case_.networks.size(), latency,
                   fmt::format("{} batch {} at {}", case_.engine, case_.batch, case_.size)) {}
    CaseBenchmarks(const CaseBenchmarks&) = delete;
    CaseBenchmarks& operator=(const CaseBenchmarks&) = delete;
    ~CaseBenchmarks() = default;

    const Case& of() const { return case_; }

    void report(benchmark::State& state, size_t network) {
        const auto& latencies = [&]() -> const std::vector<Latencies>& {
            const FlushDenormals flush(case_.flush);
            return session_.next(network);
        }();
        const auto summary = summarise(latencies[network]);
        report_latencies(state, summary);
        const auto& facts = facts_[network];
        report_work(state, facts.macs, summary.p50, peak_.flops());
        state.counters["images_per_s"] = static_cast<double>(case_.batch) / summary.p50;
        state.counters["parameters_M"] = static_cast<double>(case_.networks[network].cost.parameters) * 1e-6;
        state.counters["memory_MB"] = facts.memory ? static_cast<double>(*facts.memory) * 1e-6 : -1;
        state.counters["subnormal_weights"] = facts.subnormal_weights;
        state.counters["subnormal_maps"] = facts.subnormal_maps;
        state.counters["harness_us"] = 1e6 * harness_;
        if (network > 0)
            report_speed_up(state, latencies[0], latencies[network], facts_[0].macs / facts.macs);
    }

  private:
    std::vector<std::unique_ptr<Subject>> prepare() {
        const auto engine = engines().make(case_.engine);
        const auto image = image_of(case_);
        std::vector<std::unique_ptr<Subject>> subjects;
        facts_.clear();
        for (const auto& network : case_.networks) {
            const Workload workload{[this, &network] { return build(case_, network); }, image};
            subjects.push_back(prepare_checked(*engine, case_.engine, workload));
            auto& subject = *subjects.back();
            Facts facts{.macs = static_cast<double>(macs_of(case_, network))};
            std::tie(facts.subnormal_weights, facts.subnormal_maps) =
                subnormal_shares(*build(case_, network), image);
            facts.memory = peak_memory_of([&subject] {
                subject.run();
                subject.synchronise();
            });
            if (subject.own_seconds()) facts.memory.reset();  // it is another process's
            facts_.push_back(facts);
        }
        return subjects;
    }

    Case case_;
    MachinePeak peak_;
    double harness_;
    std::vector<Facts> facts_;
    Session session_;
};

/// Every engine as it is by default, and LibTorch's own channels-last.
std::vector<std::string> default_engines() {
    auto keys = engines().keys();
    keys.emplace_back("eager:layout=channels_last");
    return keys;
}

/// Nothing after --help.
std::optional<Options> read_options(const std::vector<std::string>& arguments) {
    Options options;
    const std::vector<std::string> default_networks = {"dense", "published-18", "published-18:round_to=8"};
    std::string batches, sizes;
    po::options_description known("options");
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    known.add_options()("help", "this text")(
        "model", po::value(&options.models)->default_value({"vgg16/smallaspp"}, "vgg16/smallaspp"),
        "of mtlprune models")(
        "network",
        po::value(&options.networks)
            ->default_value(default_networks, "dense, published-18 and published-18:round_to=8"),
        variant_forms().c_str())(
        "engine",
        po::value(&options.engines)->default_value(default_engines(), "all, and eager:layout=channels_last"),
        "KEY or KEY:OPTION=VALUE,...")(
        "tasks", po::value(&options.task_sets)->default_value({"all"}, "all"),
        "predictions that are computed: all, or names joined by + (segmentation, normals, depth)")(
        "batch", po::value(&batches)->default_value("1,8"), "images per run")(
        "size", po::value(&sizes)->default_value("321"), "height and width of the images")(
        "threads", po::value(&options.threads)->default_value(cores), "of LibTorch");
    add_latency_flags(known, options.latency);
    po::variables_map values;
    po::store(po::command_line_parser(arguments).options(known).positional({}).run(), values);
    po::notify(values);
    if (values.count("help") > 0) {
        std::cout << "usage: bench_inference [OPTIONS] [--benchmark_...]\n\n" << known << "\nengines:\n";
        for (const auto& engine : engines().entries())
            std::cout << "  " << engine.key << ": " << engine.summary << "\n" << options_text(engine, "    ");
        return std::nullopt;
    }
    options.batches = read_numbers(batches, "batch");
    options.sizes = read_numbers(sizes, "size");
    return options;
}

bool has_subnormals(const Case& of) {
    for (const auto& network : of.networks) {
        const auto shares = subnormal_shares(*build(of, network), image_of(of));
        if (shares.first > 0 || shares.second > 0) return true;
    }
    return false;
}

std::vector<Case> cases_of(const Options& options) {
    std::vector<Case> cases;
    for (const auto& model : options.models)
        for (const int64_t size : options.sizes)
            for (const int64_t batch : options.batches) {
                Case of{model, parse_model_spec(model, "--model"), "", batch, size, "all", false, {}};
                for (const auto& network : options.networks)
                    of.networks.push_back(make_variant(network, of.model, all_tasks(), image_of(of)));
                const bool both = has_subnormals(of);
                for (const auto& tasks : options.task_sets)
                    for (const auto& engine : options.engines)
                        for (const bool flush :
                             both ? std::vector<bool>{false, true} : std::vector<bool>{false}) {
                            of.engine = engine;
                            of.tasks = tasks;
                            of.flush = flush;
                            engines().make(engine);  // an unknown one is told before anything is measured
                            cases.push_back(of);
                        }
            }
    return cases;
}

void add_versions(const Options& options) {
    std::map<std::string, std::string> versions;
    for (const auto& text : options.engines) {
        const auto engine = engines().make(text);
        if (engine->missing().empty()) versions[parse_choice("engine", text).key] = engine->version();
    }
    for (const auto& [engine, version] : versions)
        if (!version.empty()) benchmark::AddCustomContext(engine, version);
}

bool register_cases(const std::vector<std::string>& arguments) {
    const auto given = read_options(arguments);
    if (!given) return false;
    const auto& options = *given;
    at::set_num_threads(options.threads);
    const double harness = null_latencies().p50;
    const auto peak = peak_in_context();
    auto cases = cases_of(options);
    add_versions(options);
    for (auto& of : cases) {
        const auto benchmarks =
            std::make_shared<CaseBenchmarks>(std::move(of), options.latency, peak, harness);
        const auto& measured = benchmarks->of();
        for (size_t n = 0; n < measured.networks.size(); ++n)
            register_report(
                fmt::format("inference/{}/{}/{}/batch:{}/size:{}{}{}", measured.model_text,
                            measured.networks[n].name, measured.engine, measured.batch, measured.size,
                            measured.tasks == "all" ? "" : "/tasks:" + measured.tasks,
                            measured.flush ? "/flush_denormals" : ""),
                measured.engine, [benchmarks, n](benchmark::State& state) { benchmarks->report(state, n); });
    }
    return true;
}

}  // namespace
}  // namespace mtlprune

int main(int argc, char** argv) {
    return mtlprune::run_benchmarks(argc, argv, mtlprune::register_cases);
}
