// A results folder with invented numbers, for tests only.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/atomic_file.h"
#include "base/table.h"
#include "reproduce/results/figure_stages.h"
#include "training/metrics.h"

namespace mtlprune {

/// The three primary metrics of one invented network.
struct FabricatedQuality {
    double pixel_accuracy = 0.5;
    double angle_mean = 20;
    double rel_err = 0.3;
};

/// Writes what the report reads. Sizes at event e: 1000 * 2^(-e) thousand parameters; configuration k is
/// event k.
struct FabricatedResults {
    int seeds = 3;
    int other_evaluation = 20;  ///< step of a re-trained network; 30 is the selected one
    int events = 4;
    std::function<FabricatedQuality(const std::string& criterion, int seed, int event)> iterative =
        [](const std::string&, int, int) { return FabricatedQuality{}; };
    std::function<FabricatedQuality(const std::string& criterion, int seed, int configuration)> retrained =
        iterative;
    std::function<FabricatedQuality(int seed)> dense = [](int) { return FabricatedQuality{}; };
    FabricatedQuality constant{0.1, 40, 0.9};
    FabricatedQuality position{0.2, 35, 0.8};
    /// Rows that are written; all by default.
    std::function<bool(const TableRow&)> keep = [](const TableRow&) { return true; };
    nlohmann::json run = {
        {"name", "quick"}, {"scale", "quick"}, {"seconds", 75}, {"experiment", nlohmann::json::object()}};

    static void add_values(Table& table, TableRow key, const FabricatedQuality& quality) {
        key.split = "test";
        const std::pair<const char*, std::vector<std::pair<const char*, double>>> tasks[] = {
            {"segmentation", {{"loss", 1}, {"pixel_accuracy", quality.pixel_accuracy}, {"miou", 0.2}}},
            {"normals",
             {{"loss", 0.1},
              {"angle_mean", quality.angle_mean},
              {"angle_median", 18},
              {"within_11_25", 30},
              {"within_22_5", 60},
              {"within_30", 80}}},
            {"depth",
             {{"loss", 0.5},
              {"abs_err", 0.7},
              {"rel_err", quality.rel_err},
              {"delta1", 50},
              {"delta2", 70},
              {"delta3", 90}}}};
        for (const auto& [task, metrics] : tasks)
            for (const auto& [metric, value] : metrics) {
                key.task = task;
                table.add(key, metric, value);
            }
    }

    static void add_network(Table& table, TableRow key, int event) {
        key.split = kNoSplit;
        key.task = kAllTasks;
        table.add(key, "parameters", 1000000 >> event);
        table.add(key, "macs", 100.0 * (1000000 >> event));
        for (int layer = 1; layer <= 2; ++layer) table.add(key, fmt::format("width.{}", layer), 8 - event);
    }

    Table table() const {
        Table table;
        add_values(table, {"constant", "constant", 0, 0, 0, "", "", "", ""}, constant);
        add_values(table, {"constant", "position", 0, 0, 0, "", "", "", ""}, position);
        for (int seed = 0; seed < seeds; ++seed) {
            const auto number = static_cast<uint64_t>(seed);
            add_values(table, {"dense", "dense", number, 0, 7, "", "", "", ""}, dense(seed));
            add_network(table, {"dense", "dense", number, 0, 7, "", "", "", ""}, 0);
            for (const std::string criterion : {"taylor", "cosprune"})
                for (int event = 0; event < events; ++event) {
                    TableRow key{"prune-" + criterion, criterion, number, event, 10 * event, "", "", "", ""};
                    add_values(table, key, iterative(criterion, seed, event));
                    add_network(table, key, event);
                    for (int layer = 1; layer <= 2; ++layer)
                        table.add(
                            {key.stage, criterion, number, event, 10 * event, kNoSplit, kAllTasks, "", ""},
                            fmt::format("score.{}", layer), 0.1 * layer);
                    key = {fmt::format("retrain-{}-{}", criterion, event),
                           criterion,
                           number,
                           event,
                           30,
                           "",
                           "",
                           "",
                           ""};
                    add_values(table, key, retrained(criterion, seed, event));
                    add_network(table, key, event);
                    key.step = other_evaluation;  // does not count
                    add_values(table, key, {0, 0, 0});
                    table.add({key.stage, criterion, number, event, 0, kNoSplit, kAllTasks, "", ""},
                              "selected_step", 30);
                    table.add({key.stage, criterion, number, 0, 0, kNoSplit, kAllTasks, "status", "PASSED"});
                }
        }
        Table kept;
        for (const auto& row : table.rows())
            if (keep(row)) kept.add(row);
        return kept;
    }

    void write(const std::filesystem::path& folder) const {
        table().write(folder / "results.csv");
        FigureStages figures{
            "constant", "dense", {{"taylor", "prune-taylor"}, {"cosprune", "prune-cosprune"}}, {}};
        for (int event = 0; event < events; ++event)
            for (const std::string criterion : {"taylor", "cosprune"})
                figures.retrained.push_back(
                    {event, criterion, fmt::format("retrain-{}-{}", criterion, event)});
        auto facts = run;
        facts["figures"] = figure_stages_to_json(figures);
        write_file_atomically(folder / "run.json", facts.dump());
        write_file_atomically(folder / "metrics.json",
                              metrics_json(metric_definitions(nyuv2_tasks(40))).dump());
    }
};

}  // namespace mtlprune
