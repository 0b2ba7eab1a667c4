#include "reproduce/analysis/blind_networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "reproduce/analysis/claim_setting.h"

namespace mtlprune {
namespace {

using Kind = BlindNetworks::Kind;

/// Neighbouring events or configurations at which the same seeds are no better.
struct BlindRun {
    int64_t first = 0, last = 0;
    std::set<int64_t> seeds;
    double largest = 0, smallest = 0;  ///< parameters
};

int64_t index_of(const BlindNetworks& found, const Measurement& network) {
    return found.kind == Kind::retrained ? network.configuration : network.event;
}

std::vector<BlindRun> runs_of(const BlindNetworks& found) {
    std::map<int64_t, BlindRun> at;
    for (const auto* network : found.not_better) {
        const int64_t index = index_of(found, *network);
        auto& point = at.try_emplace(index, BlindRun{index, index, {}, 0, network->parameters}).first->second;
        point.seeds.insert(network->seed);
        point.largest = std::max(point.largest, network->parameters);
        point.smallest = std::min(point.smallest, network->parameters);
    }
    std::vector<BlindRun> runs;
    for (const auto& [index, point] : at) {
        if (runs.empty() || runs.back().last + 1 != index || runs.back().seeds != point.seeds) {
            runs.push_back(point);
            continue;
        }
        runs.back().last = index;
        runs.back().largest = std::max(runs.back().largest, point.largest);
        runs.back().smallest = std::min(runs.back().smallest, point.smallest);
    }
    return runs;
}

std::string seeds_text(const std::set<int64_t>& seeds) {
    std::string text = seeds.size() == 1 ? "seed" : "seeds";
    for (const int64_t seed : seeds) text += fmt::format("{} {}", seed == *seeds.begin() ? "" : ",", seed);
    return text;
}

std::string parameters_text(const BlindRun& run) {
    const auto most = show_count(run.largest), least = show_count(run.smallest);
    return most == least ? most + " parameters" : most + " to " + least + " parameters";
}

std::string run_text(const BlindNetworks& found, const BlindRun& run) {
    std::set<int64_t> seeds;
    for (const auto* network : found.networks)
        if (index_of(found, *network) >= run.first && index_of(found, *network) <= run.last)
            seeds.insert(network->seed);
    const bool all_seeds = seeds == run.seeds;
    if (found.kind == Kind::dense) return all_seeds ? "all seeds" : seeds_text(run.seeds);
    const std::string word = found.kind == Kind::retrained ? "configuration" : "event";
    const auto place = run.first == run.last ? fmt::format("{} {}", word, run.first)
                                             : fmt::format("{}s {} to {}", word, run.first, run.last);
    return fmt::format("{} ({}{})", place, parameters_text(run),
                       all_seeds ? "" : ", " + seeds_text(run.seeds));
}

void add_blind(std::vector<BlindNetworks>& found, const ResultTables& tables, Kind kind,
               const std::string& criterion, const std::vector<Measurement>& measurements) {
    for (const auto& metric : tables.primary_metrics()) {
        BlindNetworks entry{kind, criterion, metric, {}, {}};
        for (const auto& network : measurements) {
            if (network.criterion != criterion) continue;
            entry.networks.push_back(&network);
            if (no_better_than_blind(tables, metric, network.value(metric.name)))
                entry.not_better.push_back(&network);
        }
        if (!entry.not_better.empty()) found.push_back(std::move(entry));
    }
}

}  // namespace

bool no_better_than_blind(const ResultTables& tables, const MetricInfo& metric, double value) {
    const double blind = tables.blind_value(metric);
    if (std::isnan(blind)) return false;
    return !(metric.higher_is_better ? value > blind : value < blind);
}

std::string BlindNetworks::label() const {
    if (kind == Kind::dense) return "Dense";
    return criterion_label(criterion) + (kind == Kind::iterative ? ", iterative" : ", re-trained");
}

std::string BlindNetworks::count() const {
    if (not_better.size() == networks.size()) return fmt::format("all {}", networks.size());
    return fmt::format("{} of {}", not_better.size(), networks.size());
}

std::string BlindNetworks::which() const {
    std::string text;
    for (const auto& run : runs_of(*this)) text += (text.empty() ? "" : "; ") + run_text(*this, run);
    return text;
}

std::vector<BlindNetworks> find_blind_networks(const ResultTables& tables) {
    std::vector<BlindNetworks> found;
    add_blind(found, tables, Kind::dense, "", tables.dense);
    for (const auto& criterion : criteria_of(tables.iterative))
        add_blind(found, tables, Kind::iterative, criterion, tables.iterative);
    for (const auto& criterion : criteria_of(tables.retrained))
        add_blind(found, tables, Kind::retrained, criterion, tables.retrained);
    return found;
}

}  // namespace mtlprune
