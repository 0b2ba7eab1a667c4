#include "reproduce/results/stage_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace mtlprune {
namespace {

TableRow of_network(TableRow key) {
    key.split = kNoSplit;
    key.task = kAllTasks;
    return key;
}

}  // namespace

void add_evaluation(Table& rows, TableRow key, const std::string& split, const std::vector<TaskSpec>& tasks,
                    const Evaluation& evaluation) {
    key.split = split;
    for (size_t t = 0; t < tasks.size(); ++t) {
        key.task = tasks[t].name;
        rows.add(key, "loss", evaluation.losses.at(t));
    }
    for (const auto& metric : evaluation.metrics) {
        key.task = metric.task;
        rows.add(key, metric.name, metric.value);
    }
}

void add_task_weights(Table& rows, TableRow key, const std::vector<TaskSpec>& tasks,
                      const std::vector<double>& weights) {
    key.split = kNoSplit;
    for (size_t t = 0; t < tasks.size(); ++t) {
        key.task = tasks[t].name;
        rows.add(key, "task_weight", weights.at(t));
    }
}

void add_subnormals(Table& rows, TableRow key, const SubnormalCounts& counts) {
    key = of_network(std::move(key));
    for (const auto& count : counts.counts()) {
        key.step = count.iteration;
        rows.add(key, "subnormal." + count.name, count.share);
    }
}

void add_network(Table& rows, TableRow key, const Cost& cost, const std::vector<int64_t>& widths) {
    key = of_network(std::move(key));
    rows.add(key, "parameters", static_cast<double>(cost.parameters));
    rows.add(key, "macs", static_cast<double>(cost.macs));
    rows.add(key, "filters", static_cast<double>(std::accumulate(widths.begin(), widths.end(), int64_t{0})));
    for (size_t group = 0; group < widths.size(); ++group)
        rows.add(key, fmt::format("width.{}", group + 1), static_cast<double>(widths[group]));
}

void add_scores(Table& rows, TableRow key, const std::vector<double>& mean_scores) {
    key = of_network(std::move(key));
    for (size_t group = 0; group < mean_scores.size(); ++group)
        rows.add(key, fmt::format("score.{}", group + 1), mean_scores[group]);
}

void add_weight_density(Table& rows, TableRow key, const WeightMasks& masks) {
    key = of_network(std::move(key));
    rows.add(key, "weight_density", masks.count().density());
    rows.add(key, "weight_density.shared", masks.count_shared().density());
    for (const auto& task : masks.tasks()) {
        key.task = task;
        rows.add(key, "weight_density", masks.count_of(task).density());
    }
}

void add_fact(Table& rows, TableRow key, const std::string& metric, double value) {
    rows.add(of_network(std::move(key)), metric, value);
}

void add_status(Table& rows, TableRow key, const std::string& word, const std::string& reason) {
    key = of_network(std::move(key));
    key.event = key.step = 0;
    key.metric = "status";
    key.value = reason.empty() ? word : fmt::format("{}({})", word, reason);
    std::replace(key.value.begin(), key.value.end(), ',', ';');
    std::replace(key.value.begin(), key.value.end(), '"', '\'');
    for (const char line_break : {'\n', '\r'})
        std::replace(key.value.begin(), key.value.end(), line_break, ' ');
    rows.add(std::move(key));
}

}  // namespace mtlprune
