#include "pruning/network/prune.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"
#include "base/stop_watch.h"

namespace mtlprune {
namespace {

std::vector<torch::Tensor> batch_losses(const Passes& batch) {
    if (batch.batch_losses) return batch.batch_losses();
    return batch.losses({0, batch.samples});
}

void observe(Pruner& pruner, const Network& network, const std::vector<Passes>& batches) {
    const auto needs = pruner.criterion().needs();
    if (!needs.data()) return;
    if (needs.gates)
        throw Error("criterion", "gates", "a criterion that needs no explicit gates", "one that does");
    if (batches.empty())
        throw Error("criterion", "data", "labelled data (the criterion needs " + needs.text() + ")", "none");
    const auto tensors = network.tensors();
    for (const auto& batch : batches) {
        const torch::AutoGradMode with_gradients(true);
        auto evidence = pruner.evidence(tensors);
        evidence.own_passes = &batch;
        const auto mode =
            needs.passes && batch.in_mode ? batch.in_mode(/*training=*/false) : std::shared_ptr<void>();
        if (needs.gradients || needs.task_gradients)
            add_gradients(evidence, needs, batch_losses(batch), tensors);
        pruner.criterion().observe(evidence);
    }
}

/// Several steps may say the same.
void add_note(PruneReport& report, std::string note) {
    if (std::find(report.notes.begin(), report.notes.end(), note) == report.notes.end())
        report.notes.push_back(std::move(note));
}

void check(Expectation& expectation, PruneReport& report) {
    const auto result = expectation.check();
    report.error = std::max(report.error, result.error);
    if (!result.passed())
        throw Error("pruned network", result.first_difference,
                    "what the original computes without the removed channels", result.found());
    report.other_sizes = result.other_sizes;
    for (const auto& place : result.unconfirmed) add_note(report, "not confirmed at other sizes: " + place);
}

void describe(const Pruner& pruner, PruneReport& report) {
    report.frozen = pruner.coupling().frozen;
    report.notes = pruner.coupling().notes;
    for (const auto& group : pruner.groups()) {
        if (group.frozen) continue;
        ++report.groups;
        report.channels += group.channels;
    }
}

void add(PruneReport& report, PruneEvent&& event, bool is_first) {
    if (is_first) report.before = event.before;
    report.after = event.plan.edit == EditKind::mask ? report.before : event.after;
    for (const auto& group : event.plan.groups)
        report.removed_channels += static_cast<int64_t>(group.channels.size());
    for (auto& note : event.notes) add_note(report, std::move(note));
    report.steps.push_back(std::move(event.plan));
}

}  // namespace

PruneReport prune(Network& network, std::unique_ptr<Criterion> criterion, const PruneOptions& options,
                  const std::vector<Passes>& batches) {
    const torch::NoGradGuard no_grad;
    PruneReport report;
    StopWatch watch;
    auto coupling = network.couple(options.coupling, &report.seconds.trace);
    report.seconds.coupling = watch.lap() - report.seconds.trace;
    Pruner pruner(std::move(coupling), std::move(criterion), options.allocation, options.edit);
    describe(pruner, report);
    for (int64_t step = 1; step <= options.steps; ++step) {
        observe(pruner, network, batches);
        const auto tensors = network.tensors();
        auto evidence = pruner.evidence(tensors);
        if (pruner.criterion().needs().passes) evidence.own_passes = &batches.back();
        auto event =
            pruner.next(evidence, at_step(pruner.coupling(), options.allocation, step, options.steps));
        Pruner::repair(tensors, event);
        report.seconds.scoring += watch.lap();
        const bool again = step > 1 && network.edits_code() && options.edit == EditKind::remove;
        const auto current = again ? network.couple(options.coupling) : Coupling{};
        const auto& now = again ? current : pruner.coupling();
        report.seconds.coupling += watch.lap();
        const auto expectation = options.verify ? network.expect(now, event.plan, options.coupling) : nullptr;
        report.seconds.verification += watch.lap();
        for (auto& note : network.notes(now, event.plan)) event.notes.push_back(std::move(note));
        network.apply(now, event.plan);
        report.seconds.surgery += watch.lap();
        if (expectation) check(*expectation, report);
        report.seconds.verification += watch.lap();
        pruner.carried_out(event);
        add(report, std::move(event), step == 1);
    }
    return report;
}

}  // namespace mtlprune
