#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <iostream>
#include <thread>

#include "cli/commands.h"
#include "cli/latency_choice.h"
#include "cli/script_file.h"
#include "cli/script_input.h"
#include "pruning/allocation/shortfall.h"
#include "pruning/criteria/criterion.h"
#include "pruning/graph/script_network.h"
#include "pruning/network/network.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kProfileUsage =
    "usage: mtlprune profile IN.pt --input INPUT [OPTIONS]\n\n"
    "Measures a network and its layers on this machine and says which latencies pruning can reach and what "
    "it would "
    "leave\n"
    "for each. What it measures of layers is kept for the next time.";

std::string share(int64_t part, int64_t whole) {
    return fmt::format("{:.0f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void print_budgets(const Coupling& coupling, const std::vector<torch::Tensor>& scores, const Predict& predict,
                   const LatencySetting& setting) {
    const auto dense = channel_counts(coupling.groups);
    const auto fewest = fewest_channels(coupling, coupling.groups, {});
    const double all = predict(dense), least = predict(fewest);
    const auto cost = cost_of(coupling, dense);
    std::cout << fmt::format("{} on the CPU, {} threads, batch {}\n", setting.engine, setting.threads,
                             setting.batch)
              << fmt::format("now    {:9.3f} ms\n", 1e3 * all)
              << fmt::format("least  {:9.3f} ms with every layer at its fewest channels\n\n", 1e3 * least)
              << fmt::format("{:>11}  {:>6}  {:>6}  {:>10}\n", "latency", "of now", "MACs", "parameters");
    for (int percent = 90; percent >= 10; percent -= 10) {
        const double budget = all * percent / 100;
        if (budget < least) {
            std::cout << fmt::format("{:>8.3f} ms  {:>4} %  below the least\n", 1e3 * budget, percent);
            continue;
        }
        const auto chosen = allocate_latency(coupling, scores, {}, predict, budget);
        const auto after = cost_of(coupling, chosen.kept);
        std::cout << fmt::format("{:>8.3f} ms  {:>4} %  {:>6}  {:>10}\n", 1e3 * chosen.predicted, percent,
                                 share(after.macs, cost.macs), share(after.parameters, cost.parameters));
    }
}

}  // namespace

int profile_command(const Arguments& arguments) {
    po::options_description options("options");
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    options.add_options()("in", po::value<std::string>()->required(), "the TorchScript file");
    add_coupling_options(options);
    options.add_options()("criterion", po::value<std::string>()->default_value("l2"),
                          "whose scores are lost; one that needs no data")(
        "threads", po::value<int>()->default_value(cores), "of LibTorch");
    po::variables_map values;
    if (!parse(kProfileUsage, options, arguments, values, {"in"})) return 0;
    at::set_num_threads(std::max(1, values["threads"].as<int>()));
    const torch::NoGradGuard no_grad;
    const auto module = load_script(values["in"].as<std::string>());
    const auto inputs = example_inputs(module, values);
    const auto coupling = couple(module, inputs, read_coupling_options(values));
    const auto scores =
        scores_without_data(
            *criteria().make(parse_choice("criterion", values["criterion"].as<std::string>())),
            coupling.graph, coupling.groups, stored_tensors(module))
            .scores;
    const auto setting = default_setting(inputs);
    const auto latency = measured_latency(module, inputs, coupling, setting);
    print_budgets(
        coupling, scores, [&](const auto& kept) { return latency.predict(kept); }, setting);
    return 0;
}

}  // namespace mtlprune::cli
