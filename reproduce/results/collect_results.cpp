#include "reproduce/results/collect_results.h"

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "base/revision.h"
#include "base/table.h"
#include "reproduce/results/stage_rows.h"
#include "training/metrics.h"

namespace mtlprune {
namespace {

ProgramRevision program_of(const std::filesystem::path& stage) {
    const auto file = stage / "env.json";
    return recorded_program(parse_json(read_file(file, "stage result"), file.string()), file.string());
}

}  // namespace

void collect_results(const std::vector<Stage>& plan, const std::vector<StageStatus>& statuses,
                     const std::filesystem::path& runs, const std::filesystem::path& results,
                     nlohmann::json run_facts, const std::vector<TaskSpec>& tasks) {
    Table table;
    std::vector<ProgramRevision> programs;
    for (size_t i = 0; i < plan.size(); ++i) {
        const auto& stage = plan[i];
        if (statuses.at(i).passed()) {
            table.append(Table::read(stage.folder(runs) / "results.csv"));
            programs.push_back(program_of(stage.folder(runs)));
        } else {
            add_status(table, {stage.name, stage.strategy, stage.seed, 0, 0, "", "", "", ""},
                       statuses[i].word(), statuses[i].reason);
        }
    }
    run_facts["programs"] = count_programs(programs);
    const auto text = table.text();
    make_folder(results);
    write_file_atomically(results / "results.csv", text);
    write_file_atomically(results / "metrics.json", metrics_json(metric_definitions(tasks)).dump(2) + "\n");
    write_file_atomically(results / "run.json", run_facts.dump(2) + "\n");
}

}  // namespace mtlprune
