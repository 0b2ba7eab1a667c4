#include <fmt/format.h>

#include <iostream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/methods_table.h"
#include "datasets/layouts/open_dataset.h"
#include "models/backbones/backbone.h"
#include "models/heads/head.h"
#include "pruning/criteria/criterion.h"
#include "pruning/masks/weight_masking.h"
#include "pruning/regularizers/regularizer.h"
#include "pruning/search/search.h"
#include "reproduce/resources.h"
#include "reproduce/strategies/strategy.h"
#include "training/tasks/task_type.h"
#include "training/weighting/task_weighting.h"

namespace mtlprune::cli {
namespace {

/// Of every kind of task, under plain names.
std::vector<MetricInfo> all_metrics() {
    std::vector<MetricInfo> all;
    for (const auto* type : task_types()) {
        const std::string name = to_string(type->kind());
        for (auto& metric : type->metrics({name, type->kind(), 1})) {
            metric.task = name;
            all.push_back(std::move(metric));
        }
    }
    return all;
}

/// Entries of a registry.
template <typename Kinds>
void print_parts(const std::string& title, const Kinds& kinds) {
    std::cout << "\n" << title << "\n";
    for (const auto& entry : kinds.entries())
        std::cout << fmt::format("  {:16} {}\n{}{}", entry.key, entry.summary,
                                 entry.paper.empty() ? "" : fmt::format("{:19}{}\n", "", entry.paper),
                                 options_text(entry, std::string(19, ' ')));
}

}  // namespace

int list_command(const Arguments& arguments) {
    po::options_description options("options");
    options.add_options()("json", po::value<std::string>(), "metrics: only these, as JSON")(
        "markdown", po::value<std::string>(), "methods: criteria, regularisers and strategies, as tables")(
        "costs", po::value<std::string>(), "with --markdown: what bench_criteria measured (JSON)");
    po::variables_map values;
    if (!parse("usage: mtlprune list [--json metrics | --markdown methods [--costs FILE]]\n\nPrints the "
               "criteria, regularisers, weight maskings, searches, data sets, backbones, heads, task "
               "weightings, "
               "strategies, metrics and scales that exist.",
               options, arguments, values))
        return 0;
    const auto metrics = all_metrics();
    if (values.count("json") > 0) {
        if (values["json"].as<std::string>() != "metrics")
            throw Error("option", "--json", "metrics", "'" + values["json"].as<std::string>() + "'");
        std::cout << metrics_json(metrics).dump(2) << "\n";
        return 0;
    }
    if (values.count("markdown") > 0) {
        if (values["markdown"].as<std::string>() != "methods")
            throw Error("option", "--markdown", "methods", "'" + values["markdown"].as<std::string>() + "'");
        std::cout << methods_table(
            values.count("costs") > 0 ? MethodCosts::read(values["costs"].as<std::string>()) : MethodCosts());
        return 0;
    }
    std::cout << "criteria\n";
    for (const auto& entry : criteria().entries())
        std::cout << fmt::format("  {:16} {}\n{:19}needs {}{}{}\n{}", entry.key, entry.summary, "",
                                 criteria().make(entry.key)->needs().text(), entry.paper.empty() ? "" : "; ",
                                 entry.paper, options_text(entry, std::string(19, ' ')));
    print_parts("regularisers; of a strategy: \"regularizer\": \"group_norm:reg=5e-4\"", regularizers());
    print_parts("weight maskings; of a strategy: \"weight_masking\": \"magnitude:density=0.2\"",
                weight_maskings());
    print_parts("searches; of a strategy: \"search\": \"pagcp:topk=1.0\"", searches());
    std::cout << "\ndata sets\n";
    for (const auto& layout : dataset_layouts()) {
        auto form = layout.name + (layout.needs_folder ? "=DIR" : "");
        for (const auto& alias : layout.aliases) form += fmt::format(", {}=DIR", alias);
        Description entry;
        entry.options = layout.options;
        std::cout << fmt::format("  {}\n  {:16} {}\n{}", form, "", layout.description,
                                 options_text(entry, std::string(19, ' ') + "data."));
    }
    print_parts(
        "backbones; a model is BACKBONE/HEAD, each with options: vgg16:width=0.25/smallaspp:hidden=64",
        backbones());
    print_parts("heads", heads());
    print_parts("task weightings; of a recipe: \"task_weighting\": \"dwa:temperature=3\"", task_weightings());
    std::cout << "\nstrategies\n";
    for (const auto& name : strategy_names()) {
        const auto strategy = named_strategy(name, {}, name);
        std::cout << fmt::format("  {:16} {}\n{:19}{}{}{}{}{}\n", name, strategy.summary, "",
                                 strategy.weight_masking.empty()
                                     ? "criterion " + strategy.criterion
                                     : "weight masking " + strategy.weight_masking,
                                 strategy.regularizer.empty() ? "" : ", regulariser " + strategy.regularizer,
                                 strategy.search.empty() ? "" : ", search " + strategy.search,
                                 strategy.paper.empty() ? "" : "; ", strategy.paper);
    }
    std::cout << "\nmetrics\n";
    for (const auto& metric : metrics)
        std::cout << fmt::format("  {:16} {:14} {:7} {}: {}\n", metric.name, metric.task,
                                 metric.higher_is_better ? "higher" : "lower",
                                 metric.unit.empty() ? "-" : metric.unit, metric.definition);
    std::cout << "\nscales\n";
    for (const auto& name : scale_names()) {
        const auto json = parse_json(read_file(scale_file(name)), name);
        std::cout << fmt::format("  {:16} {}\n", name, json.value("description", ""));
    }
    return 0;
}

}  // namespace mtlprune::cli
