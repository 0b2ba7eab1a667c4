#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "base/stop_watch.h"
#include "cli/commands.h"
#include "cli/latency_choice.h"
#include "cli/script_file.h"
#include "cli/script_input.h"
#include "pruning/allocation/option_names.h"
#include "pruning/network/prune.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kPruneTorchscriptUsage =
    "usage: mtlprune prune-torchscript IN.pt --input INPUT [--input INPUT ...] --out OUT.pt [OPTIONS]\n\n"
    "Removes channels from any traced or scripted network. OUT.pt runs in Python and C++. The result is "
    "compared with the\n"
    "original whose removed slices are zero before it is written. Prints one JSON line.\n\n"
    "  mtlprune prune-torchscript resnet50.pt --input 1x3x224x224 --ratio 0.5 --out half.pt --plan "
    "plan.json\n"
    "  mtlprune prune-torchscript tokens.pt --input '2x16:int64<1000' --input mask=2x16:bool --out half.pt\n"
    "  mtlprune prune-torchscript net.pt --input 1x3x64x64 --scope global --budget macs=0.3 --ignore "
    "'head\\..*' --out small.pt";

double number_of(const std::string& option, const std::string& text) {
    size_t read = 0;
    double value = 0;
    try {
        value = std::stod(text, &read);
    } catch (const std::exception&) {
        read = 0;
    }
    if (read == 0 || read != text.size()) throw Error("option", option, "a number", "'" + text + "'");
    return value;
}

const std::string kLatency = "latency=";

/// "macs=0.5", "params=0.5"
Budget budget_of(const std::string& text) {
    const size_t equals = text.find('=');
    const auto unit = text.substr(0, equals);
    if (equals == std::string::npos || (unit != "macs" && unit != "params"))
        throw Error("option", "--budget",
                    "macs=SHARE, params=SHARE (of the original; above 1: a number) or latency=TIME",
                    "'" + text + "'" + did_you_mean(unit, {"macs", "params", "latency"}));
    return {unit == "macs" ? BudgetUnit::macs : BudgetUnit::parameters,
            number_of("--budget", text.substr(equals + 1))};
}

/// Those that work without data.
std::string criterion_names() {
    std::string names;
    for (const auto& entry : criteria().entries())
        if (!criteria().make(entry.key)->needs().data()) names += (names.empty() ? "" : ", ") + entry.key;
    return names;
}

/// Harmless where nothing is drawn: a loop over criteria gives a seed to each.
void give_seed(Choice& choice, uint64_t seed) {
    const auto& options = criteria().at(choice.key).options;
    if (std::any_of(options.begin(), options.end(), [](const Option& o) { return o.name == "seed"; }))
        choice.options["seed"] = seed;
    else
        std::cerr << fmt::format("mtlprune: --seed has no effect: {} draws nothing\n", choice.key);
}

AllocationOptions allocation_of(const po::variables_map& values) {
    AllocationOptions options;
    options.scope = ranking_scopes().value(values["scope"].as<std::string>(), "option --scope");
    options.budget.value = values["ratio"].as<double>();
    if (values.count("budget") > 0) {
        if (!values["ratio"].defaulted()) throw Error("options --ratio and --budget exclude each other");
        const auto text = values["budget"].as<std::string>();
        if (!text.starts_with(kLatency)) options.budget = budget_of(text);
    }
    if (values.count("ignore") > 0) options.ignore = values["ignore"].as<std::vector<std::string>>();
    if (values.count("layer-ratio") > 0)
        for (const auto& text : values["layer-ratio"].as<std::vector<std::string>>()) {
            const size_t equals = text.rfind('=');
            if (equals == std::string::npos)
                throw Error("option", "--layer-ratio", "REGEX=RATIO", "'" + text + "'");
            options.ratios.emplace_back(text.substr(0, equals),
                                        number_of("--layer-ratio", text.substr(equals + 1)));
        }
    options.min_channels = values["min-channels"].as<int64_t>();
    options.max_ratio = values["max-ratio"].as<double>();
    options.round_to = values["round-to"].as<int64_t>();
    return options;
}

nlohmann::json frozen_list(const std::vector<FrozenDimension>& frozen) {
    auto list = nlohmann::json::array();
    for (const auto& item : frozen)
        list.push_back(
            {{"tensor", item.tensor}, {"dim", item.dim}, {"channels", item.count}, {"reason", item.reason}});
    return list;
}

nlohmann::json sizes_list(const SizeChanges& changes) {
    auto list = nlohmann::json::array();
    for (const auto& change : changes)
        list.push_back(
            {{"input", change.input}, {"dim", change.dim}, {"from", change.from}, {"to", change.to}});
    return list;
}

nlohmann::json summary(const PruneReport& report) {
    const auto cost = [](const Cost& c) {
        return nlohmann::json{
            {"parameters", c.parameters}, {"macs", c.macs}, {"activation_bytes", c.activation_bytes}};
    };
    return {{"before", cost(report.before)},
            {"after", cost(report.after)},
            {"groups", report.groups},
            {"channels", report.channels},
            {"removed_channels", report.removed_channels},
            {"frozen", frozen_list(report.frozen)},
            {"notes", report.notes},
            {"relative_error", report.error},
            {"other_sizes", sizes_list(report.other_sizes)},
            {"seconds",
             {{"trace", report.seconds.trace},
              {"coupling", report.seconds.coupling},
              {"scoring", report.seconds.scoring},
              {"surgery", report.seconds.surgery},
              {"verification", report.seconds.verification}}}};
}

/// What the whole command spent its time on.
std::string stage_table(const PruneReport& report, double load, double save, double plan) {
    const auto& seconds = report.seconds;
    const std::pair<const char*, double> stages[] = {{"load", load},
                                                     {"trace", seconds.trace},
                                                     {"coupling", seconds.coupling},
                                                     {"scoring", seconds.scoring},
                                                     {"surgery", seconds.surgery},
                                                     {"verification", seconds.verification},
                                                     {"save", save},
                                                     {"plan", plan}};
    double total = 0;
    for (const auto& [stage, time] : stages) total += time;
    std::string table = fmt::format("{:<14}{:>9}  {}\n", "stage", "seconds", "share");
    for (const auto& [stage, time] : stages)
        if (time > 0) table += fmt::format("{:<14}{:>9.3f}  {:>4.0f} %\n", stage, time, 100 * time / total);
    return table + fmt::format("{:<14}{:>9.3f}\n", "all", total);
}

struct LatencyTarget {
    double budget;  ///< seconds
    LatencyAllocation chosen;
};

/// Widths that meet a latency, put into the options as ratios of all groups.
LatencyTarget latency_target(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                             const Choice& criterion, const std::string& text, PruneOptions& options) {
    const torch::NoGradGuard no_grad;
    const auto budget = parse_latency_budget(text, default_setting(inputs));
    if (options.steps > 1 || !options.allocation.ratios.empty())
        throw Error("option", "--budget", "latency without --steps and --layer-ratio", "both");
    const auto coupling = couple(module, inputs, options.coupling);
    const auto scores = scores_without_data(*criteria().make(criterion), coupling.graph, coupling.groups,
                                            stored_tensors(module))
                            .scores;
    const auto latency = measured_latency(module, inputs, coupling, budget.setting);
    const LatencyTarget target{budget.seconds,
                               allocate_latency(
                                   coupling, scores, options.allocation,
                                   [&](const auto& kept) { return latency.predict(kept); }, budget.seconds)};
    options.allocation = with_widths(coupling, target.chosen.kept, options.allocation);
    return target;
}

void write_module(const torch::jit::Module& module, const std::string& path) {
    std::ostringstream bytes;
    module.save(bytes);
    write_file_atomically(path, bytes.str());
}

}  // namespace

int prune_torchscript_command(const Arguments& arguments) {
    const auto names = criterion_names() + "; with options: lamp:reduction=sum (mtlprune list says more)";
    po::options_description options("options");
    options.add_options()("in", po::value<std::string>()->required(), "the TorchScript file")(
        "out", po::value<std::string>()->required(), "file to write")(
        "plan", po::value<std::string>(),
        "JSON file to write: every slice that left, what is frozen and why");
    add_coupling_options(options);
    options.add_options()("criterion", po::value<std::string>()->default_value("l2"), names.c_str())(
        "steps", po::value<int64_t>()->default_value(1),
        "events on the way; scores are taken again before each")(
        "edit", po::value<std::string>()->default_value("remove"),
        "remove, or mask: set to zero, saves nothing")("ratio", po::value<double>()->default_value(0.5),
                                                       "share of the channels that leaves")(
        "budget", po::value<std::string>(),
        "instead of --ratio: macs=SHARE or params=SHARE that may stay, or "
        "latency=5ms[@cpu:2threads:batch1:torchscript], "
        "measured on this machine")(
        "scope", po::value<std::string>()->default_value("local"),
        "channels ranked against each other: local (per group), isomorphic, owner (shared backbone, each "
        "head) or global")("ignore", po::value<std::vector<std::string>>()->composing(),
                           "regular expression: groups or tensors that stay whole")(
        "layer-ratio", po::value<std::vector<std::string>>()->composing(), "REGEX=RATIO for some groups")(
        "round-to", po::value<int64_t>()->default_value(1), "groups keep a multiple of this many channels")(
        "min-channels", po::value<int64_t>()->default_value(1), "least channels per group")(
        "max-ratio", po::value<double>()->default_value(1.0), "most that a group may lose")(
        "seed", po::value<uint64_t>()->default_value(0), "of criteria that draw, such as random")(
        "no-verify", po::bool_switch(), "do not compare the result with the original")(
        "time", po::bool_switch(), "a table of how long each stage took, on standard error");
    po::variables_map values;
    if (!parse(kPruneTorchscriptUsage, options, arguments, values, {"in"})) return 0;

    PruneOptions wanted;
    wanted.coupling = read_coupling_options(values);
    wanted.allocation = allocation_of(values);
    wanted.steps = values["steps"].as<int64_t>();
    wanted.edit = edit_kinds().value(values["edit"].as<std::string>(), "option --edit");
    wanted.verify = !values["no-verify"].as<bool>();
    auto choice = parse_choice("criterion", values["criterion"].as<std::string>());
    if (!values["seed"].defaulted()) give_seed(choice, values["seed"].as<uint64_t>());
    StopWatch watch;
    auto module = load_script(values["in"].as<std::string>());
    const auto inputs = example_inputs(module, values);
    const double load = watch.lap();
    ScriptNetwork network(module, inputs);
    const auto budget = values.count("budget") > 0 ? values["budget"].as<std::string>() : std::string();
    std::optional<LatencyTarget> target;
    if (budget.starts_with(kLatency))
        target = latency_target(module, inputs, choice, budget.substr(kLatency.size()), wanted);
    const auto report = prune(network, criteria().make(choice), wanted);
    watch.lap();
    write_module(module, values["out"].as<std::string>());
    const double save = watch.lap();
    if (values.count("plan") > 0) {
        auto plan = steps_to_json(report.steps);
        plan["removed"] = slices_to_json(slices_of_original(report.steps));
        plan["frozen"] = frozen_list(report.frozen);
        write_file_atomically(values["plan"].as<std::string>(), plan.dump(1) + "\n");
    }
    const double plan = values.count("plan") > 0 ? watch.lap() : 0;
    auto said = summary(report);
    if (target)
        said["latency"] = {{"budget", target->budget},
                           {"before", target->chosen.dense},
                           {"predicted", target->chosen.predicted},
                           {"measured", script_seconds(module, inputs)}};
    std::cout << said.dump() << "\n";
    if (values["time"].as<bool>()) std::cerr << stage_table(report, load, save, plan);
    return 0;
}

}  // namespace mtlprune::cli
