#include "training/metrics.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json_reader.h"
#include "training/tasks/task_type.h"

namespace mtlprune {
namespace {

std::vector<MetricInfo> plain_definitions(const TaskSpec& task) {
    auto metrics = task_type(task.kind).metrics(task);
    for (auto& metric : metrics) metric.task = task.name;
    return metrics;
}

void require_different_names(const std::vector<TaskSpec>& tasks) {
    std::set<std::string> names;
    for (const auto& task : tasks)
        if (!names.insert(task.name).second)
            throw Error("metrics", "tasks", "different names", "'" + task.name + "' twice");
}

}  // namespace

std::string MetricInfo::difference_unit() const {
    return display_unit == "%" ? "percentage points" : display_unit;
}

std::vector<Metric> TaskMetrics::result() const {
    const auto found = values();
    std::vector<Metric> metrics;
    for (auto& info : plain_definitions(task_))
        metrics.push_back({std::move(info), found.at(metrics.size())});
    return metrics;
}

std::unique_ptr<TaskMetrics> make_task_metrics(const TaskSpec& task, Fidelity fidelity) {
    return task_type(task.kind).make_metrics(task, fidelity);
}

std::vector<MetricInfo> metric_definitions(const std::vector<TaskSpec>& tasks) {
    require_different_names(tasks);
    std::vector<MetricInfo> all;
    std::map<std::string, int> owners;
    for (const auto& task : tasks)
        for (auto& metric : plain_definitions(task)) {
            ++owners[metric.name];
            all.push_back(std::move(metric));
        }
    for (auto& metric : all) {
        if (owners[metric.name] == 1) continue;
        metric.name = metric.task + "." + metric.name;
        metric.label = metric.task + ": " + metric.label;
    }
    return all;
}

nlohmann::json metrics_json(const std::vector<MetricInfo>& metrics) {
    auto list = nlohmann::json::array();
    for (const auto& metric : metrics)
        list.push_back({{"name", metric.name},
                        {"task", metric.task},
                        {"label", metric.label},
                        {"definition", metric.definition},
                        {"higher_is_better", metric.higher_is_better},
                        {"unit", metric.unit},
                        {"display_scale", metric.display_scale},
                        {"display_unit", metric.display_unit},
                        {"difference_unit", metric.difference_unit()},
                        {"primary", metric.primary}});
    return list;
}

std::vector<MetricInfo> metrics_from_json(const nlohmann::json& json, const std::string& place) {
    if (!json.is_array() || json.empty())
        throw Error("metrics", place, "a list of metrics", json.type_name());
    std::vector<MetricInfo> metrics;
    for (const auto& item : json) {
        JsonReader reader(item, fmt::format("{}[{}]", place, metrics.size()));
        MetricInfo metric;
        metric.name = reader.require<std::string>("name");
        metric.task = reader.require<std::string>("task");
        metric.label = reader.require<std::string>("label");
        metric.definition = reader.require<std::string>("definition");
        metric.higher_is_better = reader.require<bool>("higher_is_better");
        metric.unit = reader.require<std::string>("unit");
        metric.display_scale = reader.require<double>("display_scale");
        metric.display_unit = reader.require<std::string>("display_unit");
        metric.primary = reader.require<bool>("primary");
        reader.require<std::string>("difference_unit");  // follows from display_unit
        reader.finish();
        metrics.push_back(std::move(metric));
    }
    return metrics;
}

}  // namespace mtlprune
