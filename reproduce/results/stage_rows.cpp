#include "reproduce/results/stage_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "models/parameter_count.h"

namespace mtlprune {
namespace {

TableRow of_network(TableRow key) {
    key.split = kNoSplit;
    key.task = kAllTasks;
    return key;
}

}  // namespace

void add_evaluation(Table& rows, TableRow key, const std::vector<TaskSpec>& tasks,
                    const Evaluation& evaluation) {
    key.split = "test";
    for (size_t t = 0; t < tasks.size(); ++t) {
        key.task = tasks[t].name;
        rows.add(key, "loss", evaluation.losses.at(t));
    }
    for (const auto& metric : evaluation.metrics) {
        key.task = metric.task;
        rows.add(key, metric.name, metric.value);
    }
}

void add_network(Table& rows, TableRow key, const ModelConfig& config, const TransformOptions& transform) {
    key = of_network(std::move(key));
    const auto macs = conv_macs(config, transform.height, transform.width);
    rows.add(key, "parameters", static_cast<double>(parameter_count(config)));
    rows.add(key, "macs", static_cast<double>(macs.backbone + macs.heads));
    rows.add(key, "filters",
             static_cast<double>(std::accumulate(config.widths.begin(), config.widths.end(), int64_t{0})));
    for (size_t layer = 0; layer < config.widths.size(); ++layer)
        rows.add(key, fmt::format("width.{}", layer + 1), static_cast<double>(config.widths[layer]));
}

void add_scores(Table& rows, TableRow key, const std::vector<double>& mean_scores) {
    key = of_network(std::move(key));
    for (size_t layer = 0; layer < mean_scores.size(); ++layer)
        rows.add(key, fmt::format("score.{}", layer + 1), mean_scores[layer]);
}

void add_fact(Table& rows, TableRow key, const std::string& metric, double value) {
    key = of_network(std::move(key));
    key.event = key.step = 0;
    rows.add(key, metric, value);
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
