// DiSparse (Sun et al., CVPR 2022) on channels: every task ranks what it uses by its own loss, and a shared
// channel leaves when all tasks agree.
#include <torch/utils.h>

#include <algorithm>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/channel_votes.h"
#include "pruning/criteria/event_mean.h"
#include "pruning/criteria/task_scores.h"
#include "pruning/criteria/taylor.h"
#include "pruning/evidence/task_cosines.h"

namespace mtlprune {
namespace {

/// gate: |dL_t/dgate|. abs, gradient, magnitude: sums of |w g|, of w^2 |g|, of |w| over the channel's
/// filters.
enum class DisparseForm { gate, abs, gradient, magnitude };
enum class SizeNorm { none, mean, layer_l2 };

const EnumNames<DisparseForm> kDisparseForms = {{DisparseForm::gate, "gate"},
                                                {DisparseForm::abs, "abs"},
                                                {DisparseForm::gradient, "gradient"},
                                                {DisparseForm::magnitude, "magnitude"}};
const EnumNames<SizeNorm> kSizeNorms = {
    {SizeNorm::none, "none"}, {SizeNorm::mean, "mean"}, {SizeNorm::layer_l2, "layer_l2"}};

struct DisparseOptions {
    DisparseForm form;
    SizeNorm norm;
    VoteRule rule;
};

/// Weights of the layers that make a group's channels; where none does, what a gate's gradient is made of.
std::vector<const Member*> made_by(const Evidence& evidence, size_t number) {
    const auto& group = evidence.groups()[number];
    std::vector<const Member*> weights;
    for (const Member* member : filter_members(group))
        if (evidence.value(group, *member).dim() > 1) weights.push_back(member);
    return weights.empty() ? evidence.gate_members(number) : weights;
}

torch::Tensor weight_rows(const Evidence& evidence, size_t number, const Member& member) {
    return Evidence::rows(member, evidence.value(evidence.groups()[number], member).detach());
}

class Disparse : public GroupwiseMean {
  public:
    explicit Disparse(DisparseOptions options) : GroupwiseMean("disparse", {}), options_(options) {}

    Needs needs() const override {
        return {.weights = options_.form != DisparseForm::gate,
                .task_gradients = options_.form != DisparseForm::magnitude};
    }

    void observe(const Evidence& batch) override {
        if (needs().data()) GroupwiseMean::observe(batch);
    }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        auto groups = needs().data() ? means() : magnitudes(now);
        for (size_t i = 0; i < groups.size(); ++i)
            if (options_.norm == SizeNorm::mean) groups[i] = groups[i] / weight_counts(now, i);
        if (options_.norm == SizeNorm::layer_l2)
            groups = normalise_tasks(std::move(groups), TaskNormaliser::layer);
        const size_t tasks = groups.empty() ? 0 : static_cast<size_t>(groups.front().size(1));
        return scores_of_asked(now, vote(groups, tasks_using(now, tasks), options_.rule));
    }

  protected:
    torch::Tensor contribution(const Evidence& batch, size_t i) override {
        if (options_.form == DisparseForm::gate) return task_gate_gradients(batch, i, name()).abs();
        const size_t number = batch.asked()[i];
        std::vector<torch::Tensor> tasks;
        for (const Member* member : made_by(batch, number)) {
            const auto found = batch.task_gradients.find(member->tensor);
            if (found == batch.task_gradients.end()) continue;
            auto weights = weight_rows(batch, number, *member);
            if (options_.form == DisparseForm::gradient) weights = weights.square();
            tasks.resize(found->second.size());
            for (size_t t = 0; t < tasks.size(); ++t) {
                const auto term =
                    Evidence::row_sums((weights * Evidence::rows(*member, found->second[t])).abs());
                tasks[t] = tasks[t].defined() ? tasks[t] + term : term;
            }
        }
        if (tasks.empty())
            throw Error("criterion disparse", "group " + batch.groups()[number].name,
                        "per-task gradients of its producers", "none");
        return torch::stack(tasks, 1);
    }

  private:
    /// The same for every output that there is.
    static std::vector<torch::Tensor> magnitudes(const Evidence& now) {
        size_t outputs = 1;
        for (const auto& group : now.groups())
            for (const size_t output : group.outputs) outputs = std::max(outputs, output + 1);
        std::vector<torch::Tensor> groups;
        for (const size_t number : now.asked()) {
            auto sum = torch::zeros({now.groups()[number].channels}, torch::kDouble);
            for (const Member* member : made_by(now, number)) {
                const auto term = Evidence::row_sums(weight_rows(now, number, *member).abs());
                sum = sum.to(term.device()) + term;
            }
            groups.push_back(sum.unsqueeze(1).expand({-1, static_cast<int64_t>(outputs)}));
        }
        return groups;
    }

    /// Weights of a channel, [C, 1]; those that masks have set to zero are not there.
    static torch::Tensor weight_counts(const Evidence& now, size_t i) {
        const size_t number = now.asked()[i];
        auto count = torch::zeros({now.groups()[number].channels}, torch::kDouble);
        for (const Member* member : made_by(now, number)) {
            const auto term = Evidence::row_sums(weight_rows(now, number, *member) != 0);
            count = count.to(term.device()) + term;
        }
        return count.clamp_min(1.0).unsqueeze(1);
    }

    DisparseOptions options_;
};

}  // namespace

Registry<Criterion>::Entry disparse_criterion() {
    std::vector<Option> options = {
        {"form", "gate",
         "a channel's score for a task, summed over mini-batches: |dL/dgate|, or sums over its filters of "
         "|w g|, of w^2 |g|, or of |w| (without data)",
         kDisparseForms.names()},
        {"norm", "none",
         "divide scores by the number of weights of a filter, or by their L2 norm in each layer",
         kSizeNorms.names()}};
    for (auto& shared : channel_vote_options()) options.push_back(shared);
    return {
        {.key = "disparse",
         .summary = "every task ranks the channels that it uses (of its head too, where that may shrink) by "
                    "its own loss; a channel leaves when all tasks would take it",
         .paper = "Sun et al., DiSparse: Disentangled Sparsification for Multitask Model Compression, CVPR "
                  "2022, on channels",
         .options = options,
         .certainty = "medium: on weights as in the released code; its form on channels is this project's"},
        [](const nlohmann::json& options) {
            return std::make_unique<Disparse>(DisparseOptions{
                kDisparseForms.value(options.at("form").get<std::string>(), "form"),
                kSizeNorms.value(options.at("norm").get<std::string>(), "norm"), read_vote_rule(options)});
        }};
}

}  // namespace mtlprune
