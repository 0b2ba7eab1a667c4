#include "reproduce/stages/stage.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "base/machine.h"
#include "base/random.h"
#include "pruning/surgery/surgery.h"
#include "reproduce/results/image_metrics_file.h"
#include "reproduce/results/stage_rows.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_kinds.h"
#include "training/trainer.h"

namespace mtlprune {

torch::Device open_device(const std::string& name, int64_t index) {
    if (name == "cuda" && !torch::cuda::is_available())
        throw Error("device", "--device cuda", "a CUDA GPU and a LibTorch with CUDA",
                    "none (build with MTLPRUNE_TORCH=wheel on a machine with a GPU, or use --device cpu)");
    if (name != "cuda") return torch::Device(name);
    const auto gpus = static_cast<int64_t>(torch::cuda::device_count());
    if (gpus == 1 || index == 0) return torch::Device(name);
    if (index >= gpus)
        throw Error("device", "--device cuda",
                    fmt::format("a GPU per process, number {} for this one", index),
                    fmt::format("{} GPUs", gpus));
    const torch::Device device(torch::kCUDA, static_cast<torch::DeviceIndex>(index));
    // For what allocates without naming a device.
    c10::impl::VirtualGuardImpl(torch::kCUDA).setDevice(device);
    return device;
}

namespace {

/// The checkpoint of a stage under way counts its iterations; the final one, written after all results, holds
/// the network alone.
bool only_done_is_missing(const StageFolder& folder) {
    const auto checkpoint = folder.load_checkpoint();
    return checkpoint && checkpoint->count("iteration") == 0;
}

bool trains(const Stage& stage) {
    return stage.kind != StageKind::constant && !stage.repeats;
}

/// What the others need not see.
bool rest_is_for_the_first(const StageContext& context) {
    bool done = only_done_is_missing(context.folder);
    if (context.parallel) done = context.parallel->of_first(done) != 0;
    return done || (!trains(context.stage) && !context.first());
}

nlohmann::json environment_description(const StageContext& context) {
    auto description = machine_description();
    if (context.parallel) description["ranks"] = context.ranks();
    return description;
}

/// Of the stage and its seed, hardly that of another.
int64_t number_of(const Stage& stage) {
    const auto hash = std::stoull(stage.hash().substr(0, 16), nullptr, 16);
    return static_cast<int64_t>(mix_key(hash, Stream::order, stage.seed) >> 1);
}

/// The processes that run the stage; null for one. Tasks of a Slurm step might run stages of their own.
std::shared_ptr<DataParallel> meet(const ProcessLayout& layout, torch::Device device, const Stage& stage) {
    if (layout.alone()) return nullptr;
    if (const int64_t size = stage.training.batch_size; trains(stage) && size % layout.ranks != 0)
        throw Error("configuration", fmt::format("{}: batch_size", stage.name),
                    fmt::format("a multiple of {}, the number of processes", layout.ranks),
                    std::to_string(size));
    const auto parallel = std::make_shared<DataParallel>(layout, device);
    parallel->require_equal("the number of the stage and seed", number_of(stage));
    return parallel;
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
    for (const char* name : {"plan.json", "curve.csv", kImageMetricsName})
        context.folder.write(name, read_file(source / name, "stage result"));
    if (std::filesystem::exists(source / kWeightMasksName))
        context.folder.write(kWeightMasksName, read_file(source / kWeightMasksName, "stage result"));
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
               const std::filesystem::path& runs, const StageProgress& progress,
               const ProcessLayout& layout) {
    const Stage& stage = plan.at(index);
    const auto path = stage.folder(runs);
    if (layout.alone() && StageFolder::done(path)) return;
    require_needs(plan, stage, runs);
    at::set_num_threads(static_cast<int>(experiment.threads_per_stage));
    const auto device = open_device(experiment.device, layout.local_rank);
    const auto parallel = meet(layout, device, stage);
    if (parallel && parallel->of_first(StageFolder::done(path)) != 0) return;
    // The others read when the first has locked and checked the folder.
    if (!layout.first()) parallel->barrier();
    StageFolder folder = layout.first() ? StageFolder(path, stage.identity) : StageFolder::reader(path);
    if (parallel && layout.first()) parallel->barrier();
    if (layout.alone() && StageFolder::done(path)) return;
    std::vector<std::filesystem::path> needs;
    needs.reserve(stage.needs.size());
    for (const size_t need : stage.needs) needs.push_back(plan.at(need).folder(runs));
    StageContext context{experiment, stage,   experiment_tasks(experiment.data), needs, folder, device,
                         progress,   parallel};
    if (context.first()) folder.write("env.json", environment_description(context).dump(2) + "\n");
    if (!rest_is_for_the_first(context)) run_kind(context);
    if (context.first()) {
        folder.finish();
        progress(1.0, "");
    }
    if (parallel) parallel->barrier();
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

}  // namespace mtlprune
