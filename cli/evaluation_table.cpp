#include "cli/evaluation_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace mtlprune::cli {

std::string evaluation_table(const Evaluation& network, const Evaluation& constant) {
    std::string table = fmt::format("{:15} {:13} {:>10} {:>10}  {:8} {}\n", "metric", "task", "network",
                                    "constant", "unit", "better");
    for (size_t i = 0; i < network.metrics.size(); ++i) {
        const auto& metric = network.metrics[i];
        table += fmt::format("{:15} {:13} {:10.4f} {:10.4f}  {:8} {}\n", metric.name, metric.task,
                             metric.value, constant.metrics.at(i).value, metric.unit,
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
