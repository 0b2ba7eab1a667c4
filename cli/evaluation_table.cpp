#include "cli/evaluation_table.h"

#include <fmt/format.h>

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

}  // namespace mtlprune::cli
