// What a reproduction run leaves in its results folder, as figures and claims see it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "training/metrics.h"

namespace mtlprune {

/// One evaluated network.
struct Measurement {
    std::string criterion;  ///< empty for the dense networks
    int64_t seed = 0;
    int64_t event = 0;           ///< pruning events so far; 0 = dense
    int64_t configuration = -1;  ///< position on the axis of re-trained sizes; -1 where there is none
    double parameters = 0;
    double macs = 0;
    std::map<std::string, double> values;  ///< losses ("loss_<task>") and metrics by column name
    /// The same of the last network of the same training; empty where that is the one above.
    std::map<std::string, double> last_values;

    double value(const std::string& column) const { return values.at(column); }
};

struct ResultTables {
    /// During iterative pruning, without events that left a layer empty.
    std::vector<Measurement> iterative;
    /// Trained from scratch, one per (criterion, seed, configuration); may be empty.
    std::vector<Measurement> retrained;
    /// One per seed.
    std::vector<Measurement> dense;
    /// Metrics on the test split of the best prediction that is the same for all pixels of all images.
    std::map<std::string, double> constant_predictor;
    /// Of the best prediction that knows only the position of a pixel. Empty in results of program versions
    /// that did not measure it.
    std::map<std::string, double> position_predictor;
    /// run.json
    nlohmann::json run;
    /// metrics.json: what the values are, in the order of tables.
    std::vector<MetricInfo> metrics;
    /// "<stage> seed <k>: FAILED(reason)" of every stage that did not pass.
    std::vector<std::string> not_passed;
    /// Networks of iterative pruning left out.
    int64_t events_with_empty_layer = 0;

    /// Those that claims and the main figures use.
    std::vector<MetricInfo> primary_metrics() const;
    /// Mean of a metric over the dense networks.
    double dense_mean(const std::string& metric) const;
    /// The better of the two predictions that ignore the image; NaN where neither has a value.
    double blind_value(const MetricInfo& metric) const;
};

/// Reads results.csv, metrics.json and run.json, whose "figures" say which stages are meant. Of several
/// evaluations of a seed and event the one at its "selected_step" counts. Throws Error naming file, line and
/// column on a malformed table, and naming the stage on a missing row, on two networks of one seed and event,
/// on two values of a predictor, and on a parameter count that is not positive.
ResultTables read_result_tables(const std::filesystem::path& results_folder);

/// The criteria of some measurements in order of first appearance.
std::vector<std::string> criteria_of(const std::vector<Measurement>& measurements);

/// "taylor" -> "Taylor", "cosprune" -> "CosPrune"; other names unchanged.
std::string criterion_label(const std::string& criterion);

}  // namespace mtlprune
