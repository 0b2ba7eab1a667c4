#include "cli/methods_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "pruning/criteria/criterion.h"
#include "pruning/masks/weight_masking.h"
#include "pruning/regularizers/regularizer.h"
#include "pruning/search/search.h"
#include "reproduce/strategies/strategy.h"

namespace mtlprune::cli {
namespace {

/// For a cell of a table.
std::string cell(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '|') escaped += '\\';
        escaped += c;
    }
    return escaped.empty() ? "-" : escaped;
}

std::string row(const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const auto& text : cells) line += fmt::format(" {} |", cell(text));
    return line + "\n";
}

std::string head(const std::vector<std::string>& titles) {
    std::string line = row(titles) + "|";
    for (size_t i = 0; i < titles.size(); ++i) line += "---|";
    return line + "\n";
}

/// "`name=value`, ..."
std::string released_text(const Description& entry) {
    std::string text;
    for (const auto& [name, value] : entry.as_released.items())
        text += fmt::format("{}`{}={}`", text.empty() ? "" : ", ", name,
                            value.is_string() ? value.get<std::string>() : value.dump());
    return text.empty() ? "the same" : text;
}

std::string certainty_text(const Description& entry) {
    return entry.certainty.empty() ? "high" : entry.certainty;
}

std::string passes_text(const Needs& needs, const MethodCosts::Cost* cost) {
    if (needs.task_gradients) return "training's, backward per task";
    if (needs.gradients || needs.gates) return "training's";
    if (!needs.passes) return "none";
    return cost == nullptr ? "its own" : fmt::format("{:.3g} of its own", cost->forward_passes);
}

const MethodCosts::Cost* find(const std::map<std::string, MethodCosts::Cost>& costs, const std::string& key) {
    const auto found = costs.find(key);
    return found == costs.end() ? nullptr : &found->second;
}

std::string cost_text(const MethodCosts::Cost* cost) {
    return cost == nullptr ? "not measured" : fmt::format("{:.2g}", std::max(0.0, cost->iterations));
}

std::string criteria_table(const MethodCosts& costs) {
    auto text = head({"criterion", "score", "needs", "passes per mini-batch", "cost", "paper", "as released",
                      "certainty"});
    for (const auto& entry : criteria().entries()) {
        const auto needs = criteria().make(entry.key)->needs();
        const auto* cost = find(costs.criteria, entry.key);
        text += row({fmt::format("`{}`", entry.key), entry.summary, needs.text(), passes_text(needs, cost),
                     cost_text(cost), entry.paper, released_text(entry), certainty_text(entry)});
    }
    return text;
}

std::string regularizers_table(const MethodCosts& costs) {
    auto text = head({"regulariser", "what it does", "cost", "paper", "as released", "certainty"});
    for (const auto& entry : regularizers().entries())
        text += row({fmt::format("`{}`", entry.key), entry.summary,
                     cost_text(find(costs.regularizers, entry.key)), entry.paper, released_text(entry),
                     certainty_text(entry)});
    return text;
}

/// Entries of which nothing was measured.
template <typename Kinds>
std::string table_of(const std::string& title, const Kinds& kinds) {
    auto text = head({title, "what it does", "paper", "as released", "certainty"});
    for (const auto& entry : kinds.entries())
        text += row({fmt::format("`{}`", entry.key), entry.summary, entry.paper, released_text(entry),
                     certainty_text(entry)});
    return text;
}

std::string strategies_table() {
    auto text = head({"strategy", "what it does", "made of", "paper"});
    for (const auto& name : strategy_names()) {
        const auto strategy = named_strategy(name, {}, name);
        std::string parts;
        for (const auto& part :
             {strategy.criterion, strategy.regularizer, strategy.search, strategy.weight_masking})
            if (!part.empty()) parts += fmt::format("{}`{}`", parts.empty() ? "" : ", ", part);
        text += row({fmt::format("`{}`", name), strategy.summary, parts, strategy.paper});
    }
    return text;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

MethodCosts MethodCosts::read(const std::string& file) {
    const auto json = parse_json(read_file(file, "measurements"), file);
    std::map<std::string, std::vector<double>> times;
    std::map<std::string, double> passes;
    JsonReader reader(json, file);
    for (const auto& run : reader.require<nlohmann::json>("benchmarks")) {
        if (run.value("run_type", "") != "iteration") continue;
        auto name = run.at("name").get<std::string>();
        name = name.substr(0, name.rfind("/real_time"));
        times[name].push_back(run.at("real_time").get<double>());
        passes[name] = run.value("forward_passes", 0.0);
    }
    if (times.count("training") == 0)
        throw Error("measurements", file, "benchmarks of bench_criteria, 'training' among them", "none");
    const double iteration = median(times.at("training"));
    MethodCosts costs;
    costs.machine = fmt::format("{} processors of {} MHz", json.value("/context/num_cpus"_json_pointer, 0),
                                json.value("/context/mhz_per_cpu"_json_pointer, 0));
    for (const auto& [name, values] : times) {
        if (name.starts_with("score/"))
            costs.criteria[name.substr(6)] = {median(values) / iteration, passes[name]};
        if (name.starts_with("iteration/"))
            costs.regularizers[name.substr(10)] = {median(values) / iteration - 1.0, 0.0};
    }
    return costs;
}

std::string methods_table(const MethodCosts& costs) {
    const std::string where = costs.machine.empty()
                                  ? "Nothing was measured."
                                  : fmt::format("Measured by `bench_criteria` on {}.", costs.machine);
    return fmt::format(
        "# Methods\n\nEverything that prunes, from the registries; `mtlprune list` has the options. A "
        "strategy is what an experiment\nnames; a criterion or regulariser can be used in any other.\n\n"
        "*Cost*: of a criterion, observing one mini-batch and scoring all channels, of a regulariser what it "
        "adds to an\niteration; both as a share of an iteration of training the same network without. {}\n"
        "*As released*: the options that make it what the paper's released code computes (fidelity "
        "`as_released`).\n*Certainty*: of the formulas; high: read in the paper or its code.\n\n"
        "## Criteria\n\n{}\n## Regularisers\n\n{}\n## Searches\n\n{}\n## Weight maskings\n\nThey leave masks "
        "on single weights, which make nothing faster.\n\n{}\n## Strategies\n\n{}",
        where, criteria_table(costs), regularizers_table(costs), table_of("search", searches()),
        table_of("weight masking", weight_maskings()), strategies_table());
}

}  // namespace mtlprune::cli
