#include "reproduce/stages/stage.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "pruning/surgery/surgery.h"
#include "reproduce/results/stage_rows.h"
#include "reproduce/runner/machine.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_kinds.h"
#include "training/trainer.h"

namespace mtlprune {

torch::Device open_device(const std::string& name) {
    if (name == "cuda" && !torch::cuda::is_available())
        throw Error("device", "--device cuda", "a CUDA GPU and a LibTorch with CUDA",
                    "none (build with MTLPRUNE_TORCH=wheel on a machine with a GPU, or use --device cpu)");
    return torch::Device(name);
}

namespace {

/// The checkpoint of a stage under way counts its iterations; the final one, written after all results, holds
/// the network alone.
bool only_done_is_missing(const StageFolder& folder) {
    const auto checkpoint = folder.load_checkpoint();
    return checkpoint && checkpoint->count("iteration") == 0;
}

/// The stage's training is that of a finished one: takes its files over.
void take_over_results(StageContext& context) {
    const auto& source = context.needs.at(0);
    Table rows;
    const auto found = Table::read(source / "results.csv");
    for (auto row : found.rows()) {
        row.stage = context.stage.name;
        row.strategy = context.stage.strategy;
        if (row.metric != "status") rows.add(row);
    }
    context.folder.write_rows(rows, context.row());
    context.folder.write("plan.json", read_file(source / "plan.json", "stage result"));
    context.folder.save_checkpoint(load_tensors(source / "checkpoint.pt"));
}

void require_needs(const std::vector<Stage>& plan, const Stage& stage, const std::filesystem::path& runs) {
    for (const size_t need : stage.needs) {
        const auto folder = plan.at(need).folder(runs);
        if (!StageFolder::done(folder))
            throw Error("stage", fmt::format("{} (seed {})", stage.name, stage.seed),
                        fmt::format("{} (seed {}), which it starts from, to be done in {}", plan[need].name,
                                    plan[need].seed, folder.string()),
                        "it is not; run that stage first");
    }
}

/// Metrics only: class shares are no scores that a loss could take.
void add_predictor(Table& rows, const StageContext& context, const char* strategy,
                   const Evaluation& evaluation) {
    auto key = context.row();
    key.strategy = strategy;
    key.split = "test";
    for (const auto& metric : evaluation.metrics) {
        key.task = metric.task;
        rows.add(key, metric.name, metric.value);
    }
}

void run_kind(StageContext& context) {
    if (context.stage.repeats) return take_over_results(context);
    switch (context.stage.kind) {
        case StageKind::constant:
            run_constant_stage(context);
            break;
        case StageKind::train:
        case StageKind::prune:
        case StageKind::retrain:
            run_network_stage(context);
            break;
    }
}

}  // namespace

void run_stage(const Experiment& experiment, const std::vector<Stage>& plan, size_t index,
               const std::filesystem::path& runs, const StageProgress& progress) {
    const Stage& stage = plan.at(index);
    const auto path = stage.folder(runs);
    if (StageFolder::done(path)) return;
    require_needs(plan, stage, runs);
    at::set_num_threads(static_cast<int>(experiment.threads_per_stage));
    const auto device = open_device(experiment.device);
    StageFolder folder(path, stage.identity);
    if (StageFolder::done(path)) return;
    std::vector<std::filesystem::path> needs;
    needs.reserve(stage.needs.size());
    for (const size_t need : stage.needs) needs.push_back(plan.at(need).folder(runs));
    StageContext context{experiment, stage,   experiment_tasks(experiment.data), needs, folder,
                         device,     progress};
    folder.write("env.json", machine_description().dump(2) + "\n");
    if (!only_done_is_missing(folder)) run_kind(context);
    folder.finish();
    progress(1.0, "");
}

void run_constant_stage(StageContext& context) {
    const auto& data = context.experiment.data;
    const auto train = collect_all_training_frames(data), test = collect_split(data, "test");
    const auto& fidelity = context.experiment.fidelity;
    Table rows;
    add_predictor(rows, context, kConstantPredictor, evaluate_constant(context.tasks, train, test, fidelity));
    add_predictor(rows, context, kPositionPredictor,
                  evaluate_by_position(context.tasks, train, test, fidelity));
    context.folder.write_rows(rows, context.row());
}

TensorMap network_state(const Model& model, const std::vector<Plan>& steps) {
    auto state = with_prefix("model.", module_state(model));
    state["plan"] = text_tensor(steps_to_json(steps).dump());
    return state;
}

PrunedNetwork load_network(const ModelSpec& spec, const std::vector<TaskSpec>& tasks,
                           const TensorMap& state) {
    if (state.count("plan") == 0)
        throw Error("checkpoint", "plan", "the plan that led to the network", "nothing");
    const std::string place = "checkpoint: plan";
    PrunedNetwork network{make_model(spec, tasks),
                          steps_from_json(parse_json(tensor_text(state.at("plan")), place), place)};
    replay(*network.model, network.steps);
    load_module_state(*network.model, entries_of("model.", state));
    return network;
}

}  // namespace mtlprune
