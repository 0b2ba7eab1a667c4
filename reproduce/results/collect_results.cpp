#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "reproduce/runner/runner.h"
#include "reproduce/stages/pruned_architecture.h"
#include "reproduce/stages/stage_kinds.h"

namespace mtlprune {
namespace {

/// The data lines of a small CSV file.
std::vector<std::string> csv_lines(const std::filesystem::path& file) {
    std::istringstream text(read_file(file, "stage result"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    if (lines.empty()) throw Error("stage result", file.string(), "a header line", "nothing");
    lines.erase(lines.begin());
    return lines;
}

/// The only data line of a training stage's result.csv.
std::string result_line(const std::filesystem::path& folder) {
    const auto lines = csv_lines(folder / "result.csv");
    if (lines.size() != 1)
        throw Error("stage result", (folder / "result.csv").string(), "one data line",
                    std::to_string(lines.size()));
    return lines[0];
}

/// "event,lr,parameters,macs,iteration,values..." without its first columns up to and including number
/// `count`.
std::string after_columns(const std::string& line, int count) {
    size_t position = 0;
    for (int i = 0; i < count; ++i) position = line.find(',', position) + 1;
    return line.substr(position);
}

struct Tables {
    std::string iterative, retrained, cosine, widths, constant, dense;
};

void add_prune(const Stage& stage, const std::filesystem::path& folder, Tables& tables) {
    for (const auto& line : csv_lines(folder / "metrics.csv"))
        tables.iterative += fmt::format("{},{},{}\n", stage.criterion, stage.seed, line);
    for (const auto& architecture : pruned_architectures(folder))
        for (size_t layer = 0; layer < architecture.widths.size(); ++layer)
            tables.widths += fmt::format("{},{},{},{},{}\n", stage.criterion, stage.seed, architecture.event,
                                         layer + 1, architecture.widths[layer]);
    if (stage.criterion != "cosprune") return;
    const auto plan = parse_json(read_file(folder / "plan.json"), (folder / "plan.json").string());
    for (const auto& event : plan.at("events"))
        for (size_t layer = 0; layer < event.at("mean_scores").size(); ++layer)
            tables.cosine +=
                fmt::format("{},{},{},{},{}\n", stage.criterion, stage.seed, event.at("event").get<int64_t>(),
                            layer + 1, event.at("mean_scores")[layer].get<double>());
}

void add_retrained(const Experiment& experiment, const Stage& stage, const std::filesystem::path& folder,
                   Tables& tables) {
    // result.csv: event,lr,parameters,macs,iteration,losses...,metrics...
    const auto line = result_line(folder);
    const std::string head = line.substr(0, line.size() - after_columns(line, 4).size());
    for (const auto& criterion : experiment.prune.criteria)
        if (stage.criterion == criterion || stage.criterion == "dense")
            tables.retrained += fmt::format("{},{},{},{}{}\n", criterion, stage.seed, stage.target, head,
                                            after_columns(line, 5));
}

void add_stage(const Experiment& experiment, const Stage& stage, const std::filesystem::path& folder,
               Tables& tables) {
    switch (stage.kind) {
        case StageKind::constant: {
            const auto file = folder / "constant.json";
            const auto constants = parse_json(read_file(file), file.string());
            for (const auto& [name, value] : constants.items())
                tables.constant += fmt::format("{},{}\n", name, value.get<double>());
            break;
        }
        case StageKind::train:
            tables.dense += fmt::format("{},{}\n", stage.seed, after_columns(result_line(folder), 5));
            break;
        case StageKind::prune:
            add_prune(stage, folder, tables);
            break;
        case StageKind::retrain:
            add_retrained(experiment, stage, folder, tables);
            break;
    }
}

}  // namespace

void collect_results(const Experiment& experiment, const std::filesystem::path& runs,
                     const std::filesystem::path& results, const nlohmann::json& run_facts) {
    const std::string columns = evaluation_header(experiment.model.tasks) + "\n";
    Tables tables{"criterion,seed,event,iteration,filters,parameters,macs" + columns,
                  "criterion,seed,configuration,event,lr,parameters,macs" + columns,
                  "criterion,seed,event,layer,average_cosine\n",
                  "criterion,seed,event,layer,width\n",
                  "metric,value\n",
                  "seed" + columns};
    for (const auto& stage : plan_stages(experiment))
        add_stage(experiment, stage, stage.folder(runs), tables);
    make_folder(results);
    write_file_atomically(results / "iterative.csv", tables.iterative);
    write_file_atomically(results / "retrained.csv", tables.retrained);
    write_file_atomically(results / "cosine.csv", tables.cosine);
    write_file_atomically(results / "widths.csv", tables.widths);
    write_file_atomically(results / "constant_predictor.csv", tables.constant);
    write_file_atomically(results / "dense.csv", tables.dense);
    write_file_atomically(results / "run.json", run_facts.dump(2) + "\n");
}

}  // namespace mtlprune
