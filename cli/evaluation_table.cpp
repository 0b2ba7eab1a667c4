#include "cli/evaluation_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtlprune::cli {

Baselines evaluate_baselines(const Experiment& experiment) {
    const auto& tasks = experiment.model.tasks;
    const auto train = collect_split(experiment.data, "train");
    auto test = collect_split(experiment.data, "test");
    auto constant = evaluate_constant(tasks, train, test, experiment.fidelity);
    auto by_position = evaluate_by_position(tasks, train, test, experiment.fidelity);
    return {std::move(test), std::move(constant), std::move(by_position)};
}

std::string evaluation_table(const Evaluation& network, const Baselines& baselines) {
    size_t name = 15, task = 13;
    for (const auto& metric : network.metrics) {
        name = std::max(name, metric.name.size());
        task = std::max(task, metric.task.size());
    }
    std::string table = fmt::format("{:{}} {:{}} {:>10} {:>10} {:>12}  {:8} {}\n", "metric", name, "task",
                                    task, "network", "constant", "by position", "unit", "better");
    for (size_t i = 0; i < network.metrics.size(); ++i) {
        const auto& metric = network.metrics[i];
        table += fmt::format("{:{}} {:{}} {:10.4f} {:10.4f} {:12.4f}  {:8} {}\n", metric.name, name,
                             metric.task, task, metric.value, baselines.constant.metrics.at(i).value,
                             baselines.by_position.metrics.at(i).value, metric.unit,
                             metric.higher_is_better ? "higher" : "lower");
    }
    return table;
}

}  // namespace mtlprune::cli
