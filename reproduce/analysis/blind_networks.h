// Networks that do no better than a prediction that ignores the image: they have learnt nothing that matters.
#pragma once

#include <string>
#include <vector>

#include "reproduce/results/result_tables.h"

namespace mtlprune {

/// Whether a network's value of a metric is not better than the better of the constant and the position-only
/// predictor; false where neither is known. A value that is not a number is never better.
bool no_better_than_blind(const ResultTables& tables, const MetricInfo& metric, double value);

/// The networks of one kind that are no better in one metric.
struct BlindNetworks {
    enum class Kind { dense, iterative, retrained };
    Kind kind = Kind::dense;
    std::string criterion;  ///< empty for the dense networks
    MetricInfo metric;
    std::vector<const Measurement*> networks;    ///< all of the kind and criterion
    std::vector<const Measurement*> not_better;  ///< those of them that are no better

    /// "Dense", "Taylor, iterative", "CosPrune, re-trained".
    std::string label() const;
    /// "all 3" or "4 of 12".
    std::string count() const;
    /// Which ones: "events 5 to 7 (125 k to 31.2 k parameters); event 4 (250 k parameters, seed 1)".
    std::string which() const;
};

/// One entry per kind, criterion and primary metric with at least one network that is no better; the dense
/// networks first. The entries point into `tables`.
std::vector<BlindNetworks> find_blind_networks(const ResultTables& tables);

}  // namespace mtlprune
