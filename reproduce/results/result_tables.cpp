#include "reproduce/results/result_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "base/table.h"
#include "reproduce/results/figure_stages.h"
#include "reproduce/results/stage_rows.h"

namespace mtlprune {
namespace {

using NetworkKey = std::tuple<uint64_t, int64_t, int64_t>;  // seed, event, step

std::string column_of(const TableRow& row) {
    return row.metric == "loss" ? "loss_" + row.task : row.metric;
}

/// The rows of one stage, as the networks they are about, in order of appearance.
class StageNetworks {
  public:
    StageNetworks(const Table& table, const std::string& stage) : table_(table), stage_(stage) {
        for (size_t i = 0; i < table.rows().size(); ++i)
            if (table.rows()[i].stage == stage && table.rows()[i].metric == "selected_step")
                selected_[{table.rows()[i].seed, table.rows()[i].event}] = table.number(i);
        for (size_t i = 0; i < table.rows().size(); ++i)
            if (table.rows()[i].stage == stage && table.rows()[i].split == "test") add_value(i);
        for (size_t i = 0; i < table.rows().size(); ++i)
            if (table.rows()[i].stage == stage && table.rows()[i].split == kNoSplit) add_structure(i);
        require_once();
        add_last();
    }

    std::vector<Measurement> networks;
    std::vector<bool> has_empty_layer;  ///< parallel to networks

  private:
    void add_value(size_t index) {
        const auto& row = table_.rows()[index];
        const auto selected = selected_.find({row.seed, row.event});
        if (selected != selected_.end() && selected->second != static_cast<double>(row.step)) return;
        const auto [known, added] =
            positions_.emplace(NetworkKey{row.seed, row.event, row.step}, networks.size());
        if (added) {
            networks.emplace_back();
            networks.back().seed = static_cast<int64_t>(row.seed);
            networks.back().event = row.event;
            has_empty_layer.push_back(false);
        }
        networks[known->second].values[column_of(row)] = table_.number(index);
    }

    void add_structure(size_t index) {
        const auto& row = table_.rows()[index];
        const auto known = positions_.find({row.seed, row.event, row.step});
        if (known == positions_.end()) return;
        auto& network = networks[known->second];
        if (row.metric == "parameters") network.parameters = positive(index);
        if (row.metric == "macs") network.macs = positive(index);
        if (row.metric.starts_with("width.") && table_.number(index) == 0)
            has_empty_layer[known->second] = true;
    }

    void add_last() {
        std::map<std::pair<int64_t, int64_t>, int64_t> last;
        for (const auto& row : table_.rows())
            if (row.stage == stage_ && row.split == "test") {
                auto& step = last[{static_cast<int64_t>(row.seed), row.event}];
                step = std::max(step, row.step);
            }
        for (auto& network : networks) {
            const int64_t step = last.at({network.seed, network.event});
            const auto seed = static_cast<uint64_t>(network.seed);
            if (positions_.contains({seed, network.event, step})) continue;
            for (size_t i = 0; i < table_.rows().size(); ++i)
                if (const auto& row = table_.rows()[i]; row.stage == stage_ && row.split == "test" &&
                                                        row.seed == seed && row.event == network.event &&
                                                        row.step == step)
                    network.last_values[column_of(row)] = table_.number(i);
        }
    }

    double positive(size_t index) const {
        const double value = table_.number(index);
        if (!(value > 0))
            throw Error("results table", table_.place(index, "value"), "a positive number",
                        fmt::format("{}", value));
        return value;
    }

    void require_once() const {
        std::set<std::pair<int64_t, int64_t>> seen;
        for (const auto& network : networks)
            if (!seen.emplace(network.seed, network.event).second)
                throw Error("results table", fmt::format("stage {}", stage_),
                            "one network per seed and event",
                            fmt::format("(seed {}, event {}) at two steps", network.seed, network.event));
    }

    const Table& table_;
    std::string stage_;
    std::map<std::pair<uint64_t, int64_t>, double> selected_;  ///< by seed and event
    std::map<NetworkKey, size_t> positions_;
};

/// Throws unless every network has the values that figures and claims show, and sizes where `sized`.
void require_complete(const std::vector<Measurement>& networks, const std::vector<MetricInfo>& metrics,
                      const std::string& stage, bool sized) {
    std::vector<std::string> columns;
    for (const MetricInfo& metric : metrics) {
        columns.push_back("loss_" + metric.task);
        columns.push_back(metric.name);
    }
    for (const auto& network : networks) {
        const auto place = fmt::format("stage {}, seed {}, event {}", stage, network.seed, network.event);
        for (const auto& column : columns)
            if (!network.values.contains(column))
                throw Error("results table", place, fmt::format("a row for {} on the test split", column),
                            "none");
        if (sized && !(network.parameters > 0 && network.macs > 0))
            throw Error("results table", place, "rows for parameters and macs", "none");
    }
}

std::vector<Measurement> networks_of(const Table& table, const std::string& stage,
                                     bool may_be_absent = false) {
    auto networks = StageNetworks(table, stage).networks;
    if (networks.empty() && !may_be_absent)
        throw Error("results table", fmt::format("stage {}", stage), "at least one row on the test split",
                    "none");
    return networks;
}

std::vector<Measurement> iterative_networks(const Table& table, const FigureStages& figures,
                                            const std::vector<MetricInfo>& metrics, int64_t& left_out) {
    std::vector<Measurement> all;
    for (const auto& [strategy, stage] : figures.iterative) {
        const StageNetworks found(table, stage);
        require_complete(found.networks, metrics, stage, true);
        for (size_t i = 0; i < found.networks.size(); ++i) {
            left_out += found.has_empty_layer[i];
            if (found.has_empty_layer[i]) continue;
            all.push_back(found.networks[i]);
            all.back().criterion = strategy;
        }
    }
    if (all.empty())
        throw Error("results table", "stages of iterative pruning", "at least one network", "none");
    return all;
}

std::vector<Measurement> retrained_networks(const Table& table, const FigureStages& figures,
                                            const std::vector<MetricInfo>& metrics) {
    std::vector<Measurement> all;
    for (const auto& entry : figures.retrained) {
        auto networks = networks_of(table, entry.stage, true);
        require_complete(networks, metrics, entry.stage, true);
        for (auto& network : networks) {
            network.criterion = entry.strategy;
            network.configuration = entry.configuration;
            all.push_back(std::move(network));
        }
    }
    return all;
}

/// Rows of a constant stage that are not by position are the constant's, whatever older versions called it.
void read_predictors(ResultTables& tables, const Table& table, const std::string& stage) {
    for (size_t i = 0; i < table.rows().size(); ++i) {
        const auto& row = table.rows()[i];
        if (row.stage != stage || row.split != "test" || row.metric == "loss") continue;
        auto& predictor =
            row.strategy == kPositionPredictor ? tables.position_predictor : tables.constant_predictor;
        if (!predictor.emplace(row.metric, table.number(i)).second)
            throw Error("results table", table.place(i, "metric"),
                        fmt::format("one value of a prediction that ignores the image in stage {}", stage),
                        "a second one");
    }
    if (tables.constant_predictor.empty())
        throw Error("results table", fmt::format("stage {}", stage), "at least one row on the test split",
                    "none");
}

}  // namespace

double ResultTables::blind_value(const MetricInfo& metric) const {
    double best = std::numeric_limits<double>::quiet_NaN();
    for (const auto* predictor : {&constant_predictor, &position_predictor}) {
        const auto found = predictor->find(metric.name);
        if (found == predictor->end() || std::isnan(found->second)) continue;
        const bool better = metric.higher_is_better ? found->second > best : found->second < best;
        if (std::isnan(best) || better) best = found->second;
    }
    return best;
}

double ResultTables::dense_mean(const std::string& metric) const {
    double sum = 0;
    for (const Measurement& network : dense) sum += network.value(metric);
    return sum / static_cast<double>(dense.size());
}

std::vector<MetricInfo> ResultTables::primary_metrics() const {
    std::vector<MetricInfo> primary;
    for (const MetricInfo& metric : metrics)
        if (metric.primary) primary.push_back(metric);
    return primary;
}

ResultTables read_result_tables(const std::filesystem::path& results_folder) {
    ResultTables tables;
    const std::filesystem::path run = results_folder / "run.json";
    tables.run = parse_json(read_file(run, "run description"), run.string());
    if (!tables.run.is_object() || !tables.run.contains("figures"))
        throw Error("run description", run.string(), "a JSON object with the key 'figures'",
                    tables.run.type_name());
    const auto figures = read_figure_stages(tables.run.at("figures"), run.string() + ": figures");
    const auto metrics = results_folder / "metrics.json";
    tables.metrics =
        metrics_from_json(parse_json(read_file(metrics, "metrics"), metrics.string()), metrics.string());
    const auto table = Table::read(results_folder / "results.csv");
    tables.iterative = iterative_networks(table, figures, tables.metrics, tables.events_with_empty_layer);
    tables.retrained = retrained_networks(table, figures, tables.metrics);
    tables.dense = networks_of(table, figures.dense);
    require_complete(tables.dense, tables.metrics, figures.dense, false);
    for (const auto& row : table.rows())
        if (row.metric == "status" && row.value != "PASSED")
            tables.not_passed.push_back(fmt::format("{} seed {}: {}", row.stage, row.seed, row.value));
    read_predictors(tables, table, figures.constant);
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
