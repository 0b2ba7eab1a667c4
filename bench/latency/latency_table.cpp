#include "bench/latency/latency_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace mtlprune {
namespace {

/// Position of `value` on the grid: the point below, and how far it is to the next (0..1).
std::pair<size_t, double> position(const std::vector<int64_t>& grid, int64_t value) {
    if (value <= grid.front() || grid.size() == 1) return {0, 0.0};
    if (value >= grid.back()) return {grid.size() - 2, 1.0};
    const auto above = std::upper_bound(grid.begin(), grid.end(), value);
    const auto below = above - 1;
    return {static_cast<size_t>(below - grid.begin()),
            static_cast<double>(value - *below) / static_cast<double>(*above - *below)};
}

/// Neighbours that fall are pooled into their mean until none does.
double rise(std::vector<double>& values) {
    struct Pool {
        double sum;
        size_t count;
        double mean() const { return sum / static_cast<double>(count); }
    };
    std::vector<Pool> pools;
    for (const double value : values) {
        pools.push_back({value, 1});
        while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
            pools[pools.size() - 2].sum += pools.back().sum;
            pools[pools.size() - 2].count += pools.back().count;
            pools.pop_back();
        }
    }
    double change = 0;
    size_t i = 0;
    for (const auto& pool : pools)
        for (size_t n = 0; n < pool.count; ++n, ++i) {
            change = std::max(change, std::fabs(pool.mean() / values[i] - 1));
            values[i] = pool.mean();
        }
    return change;
}

std::vector<int64_t> ascending_channels(const nlohmann::json& json, const std::string& place) {
    const auto channels = json.get<std::vector<int64_t>>();
    const bool rises =
        std::adjacent_find(channels.begin(), channels.end(), std::greater_equal<>()) == channels.end();
    if (channels.empty() || channels.front() < 1 || !rises)
        throw Error(place, "channels", "numbers of at least 1 that rise", json.dump());
    return channels;
}

}  // namespace

double LatencyTable::at(int64_t in, int64_t out) const {
    const auto [i, to_i] = position(inputs, in);
    const auto [o, to_o] = position(outputs, out);
    const size_t next_i = std::min(i + 1, inputs.size() - 1), next_o = std::min(o + 1, outputs.size() - 1);
    return (1 - to_i) * ((1 - to_o) * seconds[i][o] + to_o * seconds[i][next_o]) +
           to_i * ((1 - to_o) * seconds[next_i][o] + to_o * seconds[next_i][next_o]);
}

nlohmann::json LatencyTable::to_json() const {
    return {{"inputs", inputs}, {"outputs", outputs}, {"seconds", seconds}};
}

LatencyTable LatencyTable::from_json(const nlohmann::json& json, const std::string& place) {
    try {
        LatencyTable table{ascending_channels(json.at("inputs"), place),
                           ascending_channels(json.at("outputs"), place),
                           json.at("seconds").get<std::vector<std::vector<double>>>()};
        const auto fits = [&](const std::vector<double>& row) {
            return row.size() == table.outputs.size() &&
                   std::ranges::all_of(row, [](double x) { return std::isfinite(x) && x > 0; });
        };
        if (table.seconds.size() == table.inputs.size() && std::ranges::all_of(table.seconds, fits))
            return table;
    } catch (const nlohmann::json::exception&) {  // told below
    }
    throw Error(place, "latency table", "inputs, outputs and a matrix of seconds", "another form");
}

std::vector<int64_t> grid_of(int64_t most) {
    const int64_t step = std::max<int64_t>(8, (most + 127) / 128 * 8);
    std::vector<int64_t> grid;
    for (int64_t small = std::min(step, most) / 2; small >= 1; small /= 2) grid.insert(grid.begin(), small);
    for (int64_t channels = step; channels < most; channels += step) grid.push_back(channels);
    grid.push_back(most);
    return grid;
}

LatencyTable measure_table(const LayerShape& layer, const MeasureLayer& measure,
                           const std::function<void(double)>& on_progress) {
    LatencyTable table{grid_of(layer.weight.at(1)), grid_of(layer.weight.at(0)), {}};
    double done = 0;
    for (const int64_t in : table.inputs) {
        auto& row = table.seconds.emplace_back();
        for (const int64_t out : table.outputs) {
            auto smaller = layer;
            smaller.input[1] = smaller.weight[1] = in;
            smaller.weight[0] = out;
            row.push_back(measure(smaller));
            done += 1.0 / static_cast<double>(table.inputs.size() * table.outputs.size());
            if (on_progress) on_progress(done);
        }
    }
    return table;
}

double make_monotone(LatencyTable& table) {
    // Pooling columns can break rows again, a little; a few rounds settle it.
    constexpr int kRounds = 50;
    constexpr double kSettled = 1e-9;
    const auto before = table.seconds;
    for (int round = 0; round < kRounds; ++round) {
        double change = 0;
        for (auto& row : table.seconds) change = std::max(change, rise(row));
        for (size_t o = 0; o < table.outputs.size(); ++o) {
            std::vector<double> column;
            for (const auto& row : table.seconds) column.push_back(row[o]);
            change = std::max(change, rise(column));
            for (size_t i = 0; i < column.size(); ++i) table.seconds[i][o] = column[i];
        }
        if (change < kSettled) break;
    }
    double changed = 0;
    for (size_t i = 0; i < before.size(); ++i)
        for (size_t o = 0; o < before[i].size(); ++o)
            changed = std::max(changed, std::fabs(table.seconds[i][o] / before[i][o] - 1));
    return changed;
}

}  // namespace mtlprune
