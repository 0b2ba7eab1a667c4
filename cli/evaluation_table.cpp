#include "cli/evaluation_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace mtlprune::cli {

Baselines evaluate_baselines(const Experiment& experiment) {
    const auto tasks = experiment_tasks(experiment.data);
    const auto train = collect_all_training_frames(experiment.data);
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

std::string event_table(const Table& rows) {
    std::vector<std::string> columns = {"parameters", "macs"};
    std::map<int64_t, std::map<std::string, std::string>> events;
    for (const auto& row : rows.rows()) {
        const bool shown = row.split == "test" || row.metric == "parameters" || row.metric == "macs";
        if (!shown) continue;
        const auto column = row.metric == "loss" ? "loss_" + row.task : row.metric;
        if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
        events[row.event][column] = row.value;
    }
    std::string text = "event";
    for (const auto& column : columns) text += "," + column;
    for (const auto& [event, values] : events) {
        text += fmt::format("\n{}", event);
        for (const auto& column : columns)
            text += "," + (values.contains(column) ? values.at(column) : "nan");
    }
    return text + "\n";
}

}  // namespace mtlprune::cli
