#include "reproduce/results/result_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "reproduce/metric_table.h"
#include "reproduce/results/csv_table.h"

namespace mtlprune {
namespace {

using EventKey = std::tuple<std::string, int64_t, int64_t>;  // criterion, seed, event

std::vector<std::string> with_values(std::vector<std::string> columns) {
    columns.insert(columns.end(), loss_columns().begin(), loss_columns().end());
    for (const ReportedMetric& metric : reported_metrics()) columns.push_back(metric.name);
    return columns;
}

std::map<std::string, double> read_values(const CsvTable& table, int64_t row) {
    std::map<std::string, double> values;
    for (const std::string& column : with_values({})) values[column] = table.number(row, column);
    return values;
}

double positive(const CsvTable& table, int64_t row, const std::string& column) {
    const double value = table.number(row, column);
    if (!(value > 0))
        throw Error("results table", table.place(row, column), "a positive number", fmt::format("{}", value));
    return value;
}

Measurement read_pruned(const CsvTable& table, int64_t row) {
    Measurement measurement;
    measurement.criterion = table.text(row, "criterion");
    measurement.seed = table.integer(row, "seed");
    measurement.event = table.integer(row, "event");
    measurement.parameters = positive(table, row, "parameters");
    measurement.macs = positive(table, row, "macs");
    measurement.values = read_values(table, row);
    return measurement;
}

void require_new(std::set<EventKey>& seen, const EventKey& key, const std::string& place, const char* what) {
    const auto& [criterion, seed, index] = key;
    if (!seen.insert(key).second)
        throw Error("results table", place, fmt::format("each (criterion, seed, {}) once", what),
                    fmt::format("({}, {}, {}) again", criterion, seed, index));
}

std::vector<Measurement> read_iterative(const std::filesystem::path& path) {
    const CsvTable table =
        CsvTable::read(path, with_values({"criterion", "seed", "event", "parameters", "macs"}));
    std::vector<Measurement> rows;
    std::set<EventKey> seen;
    for (int64_t row = 0; row < table.rows(); ++row) {
        rows.push_back(read_pruned(table, row));
        const Measurement& last = rows.back();
        require_new(seen, {last.criterion, last.seed, last.event}, table.place(row, "event"), "event");
    }
    return rows;
}

std::vector<Measurement> read_retrained(const std::filesystem::path& path) {
    const CsvTable table = CsvTable::read(
        path, with_values({"criterion", "seed", "configuration", "event", "parameters", "macs"}), true);
    std::vector<Measurement> rows;
    std::set<EventKey> seen;
    for (int64_t row = 0; row < table.rows(); ++row) {
        if (table.text(row, "criterion") == "dense") continue;
        rows.push_back(read_pruned(table, row));
        Measurement& last = rows.back();
        last.configuration = table.integer(row, "configuration");
        require_new(seen, {last.criterion, last.seed, last.configuration}, table.place(row, "configuration"),
                    "configuration");
    }
    return rows;
}

std::vector<Measurement> read_dense(const std::filesystem::path& path) {
    const CsvTable table = CsvTable::read(path, with_values({"seed"}));
    std::vector<Measurement> rows;
    for (int64_t row = 0; row < table.rows(); ++row) {
        Measurement measurement;
        measurement.seed = table.integer(row, "seed");
        measurement.values = read_values(table, row);
        rows.push_back(std::move(measurement));
    }
    return rows;
}

std::map<std::string, double> read_constant_predictor(const std::filesystem::path& path) {
    const CsvTable table = CsvTable::read(path, {"metric", "value"});
    std::map<std::string, double> values;
    for (int64_t row = 0; row < table.rows(); ++row)
        values[table.text(row, "metric")] = table.number(row, "value");
    return values;
}

std::set<EventKey> read_events_with_empty_layer(const std::filesystem::path& path) {
    const CsvTable table = CsvTable::read(path, {"criterion", "seed", "event", "layer", "width"});
    std::set<EventKey> empty;
    for (int64_t row = 0; row < table.rows(); ++row)
        if (table.integer(row, "width") == 0)
            empty.emplace(table.text(row, "criterion"), table.integer(row, "seed"),
                          table.integer(row, "event"));
    return empty;
}

}  // namespace

double ResultTables::dense_mean(const std::string& metric) const {
    double sum = 0;
    for (const Measurement& network : dense) sum += network.value(metric);
    return sum / static_cast<double>(dense.size());
}

ResultTables read_result_tables(const std::filesystem::path& results_folder) {
    ResultTables tables;
    tables.iterative = read_iterative(results_folder / "iterative.csv");
    const std::set<EventKey> empty = read_events_with_empty_layer(results_folder / "widths.csv");
    tables.events_with_empty_layer = std::erase_if(tables.iterative, [&](const Measurement& row) {
        return empty.contains({row.criterion, row.seed, row.event});
    });
    tables.retrained = read_retrained(results_folder / "retrained.csv");
    tables.dense = read_dense(results_folder / "dense.csv");
    tables.constant_predictor = read_constant_predictor(results_folder / "constant_predictor.csv");
    const std::filesystem::path run = results_folder / "run.json";
    tables.run = parse_json(read_file(run, "run description"), run.string());
    if (!tables.run.is_object())
        throw Error("run description", run.string(), "a JSON object", tables.run.type_name());
    return tables;
}

std::vector<std::string> criteria_of(const std::vector<Measurement>& measurements) {
    std::vector<std::string> names;
    for (const Measurement& measurement : measurements)
        if (std::find(names.begin(), names.end(), measurement.criterion) == names.end())
            names.push_back(measurement.criterion);
    return names;
}

std::string criterion_label(const std::string& criterion) {
    if (criterion == "taylor") return "Taylor";
    if (criterion == "cosprune") return "CosPrune";
    return criterion;
}

}  // namespace mtlprune
