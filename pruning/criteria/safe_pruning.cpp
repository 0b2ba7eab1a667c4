// Safe pruning (Wang et al., arXiv 2511.05557, 2025), after a description: its equations could not be read.
#include <torch/utils.h>

#include <cmath>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/task_scores.h"
#include "pruning/criteria/taylor.h"
#include "pruning/evidence/task_cosines.h"

namespace mtlprune {
namespace {

enum class Penalising { subtract, multiply, raw };

const EnumNames<Penalising> kPenalising = {
    {Penalising::subtract, "subtract"}, {Penalising::multiply, "multiply"}, {Penalising::raw, "raw"}};

struct SafePruningOptions {
    double penalty, protect;
    Penalising penalising;
    bool absolute, mean_of_tasks;
    TaskNormaliser normaliser;
};

/// How many of the shares share, share/2, share/4, ... (`count` of them) keep a channel among the top
/// ceil(share C) of any task in its layer: [C, T] -> [C]. Channels that a task does not use are never among
/// its top.
torch::Tensor protection(const torch::Tensor& importance, double share, int64_t count) {
    const int64_t channels = importance.size(0);
    const auto order = importance.argsort(int64_t{0}, /*descending=*/true)
                           .argsort(int64_t{0}, false);  // rank per task, 0 = highest
    const auto used = importance > 0;
    auto levels = torch::zeros({channels}, importance.options());
    double top = share * static_cast<double>(channels);
    for (int64_t i = 0; i < count; ++i, top /= 2)
        levels += (used & (order < std::ceil(top))).any(1).to(torch::kDouble);
    return levels;
}

/// Score = rank of A in [0, 1] - penalty P, where A is the largest over tasks of the mean over mini-batches
/// of (dL_t/dgate)^2, each task's divided by its mean over all channels, and P is the conflict between the
/// averaged gradients of the tasks for the channel's filters.
class SafePruning : public Criterion {
  public:
    explicit SafePruning(SafePruningOptions options) : options_(options) {}
    Needs needs() const override { return {.task_gradients = true}; }

    void observe(const Evidence& batch) override {
        const torch::NoGradGuard no_grad;
        std::vector<torch::Tensor> contributions;
        std::vector<const Member*> members;
        for (size_t i = 0; i < batch.asked().size(); ++i) {
            const auto gates = task_gate_gradients(batch, i, "safe_pruning");
            contributions.push_back(options_.absolute ? gates.abs() : gates.square());
            for (const Member* member : filter_members(batch.groups()[batch.asked()[i]]))
                members.push_back(member);
        }
        importance_.add(contributions);
        gradients_.add(batch, members);
    }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        const auto tasks = normalise_tasks(importance_.means("safe_pruning"), options_.normaliser);
        const auto gradients = gradients_.means("safe_pruning");
        std::vector<torch::Tensor> aggregate, scores;
        for (const auto& group : tasks)
            aggregate.push_back((options_.mean_of_tasks ? group.mean(1) : group.amax(1)).unsqueeze(1));
        if (options_.penalising == Penalising::subtract) aggregate = ranks_among_all(aggregate);
        for (size_t i = 0; i < tasks.size(); ++i) {
            const auto penalty =
                options_.penalty *
                mean_pairwise_conflict(filter_gram(now.groups()[now.asked()[i]], gradients, "safe_pruning"));
            const auto a = aggregate[i].squeeze(1).to(penalty.device());
            scores.push_back(options_.penalising == Penalising::multiply ? a * (1.0 - penalty) : a - penalty);
        }
        if (options_.protect > 0) protect(scores, tasks);
        return scores_of_asked(now, scores);
    }

    void after_event(const std::vector<torch::Tensor>&) override {
        importance_.reset();
        gradients_.reset();
    }
    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        importance_.save(state);
        gradients_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        importance_.load(state);
        gradients_.load(state);
    }

  private:
    /// Lifts protected channels above all others, those of the smallest shares highest: when a budget cannot
    /// be met without them they leave as if the share were halved until it can.
    void protect(std::vector<torch::Tensor>& scores, const std::vector<torch::Tensor>& tasks) const {
        const auto all = torch::cat(scores);
        if (all.numel() == 0) return;
        const auto step = all.max() - all.min() + 1.0;
        int64_t count = 1, widest = 0;  // in the widest layer down to one channel
        for (const auto& group : tasks) widest = std::max(widest, group.size(0));
        for (double top = options_.protect * static_cast<double>(widest); top > 1; top /= 2) ++count;
        for (size_t i = 0; i < scores.size(); ++i)
            scores[i] = scores[i] + step * protection(tasks[i], options_.protect, count).to(step.device());
    }

    SafePruningOptions options_;
    ScoreMean importance_;
    MeanGradients gradients_{/*per_task=*/true};
};

std::unique_ptr<Criterion> make_safe_pruning(const nlohmann::json& options) {
    const SafePruningOptions read{
        .penalty = options.at("penalty").get<double>(),
        .protect = options.at("protect").get<double>(),
        .penalising = kPenalising.value(options.at("penalising").get<std::string>(), "penalising"),
        .absolute = options.at("absolute").get<bool>(),
        .mean_of_tasks = options.at("aggregate").get<std::string>() == "mean",
        .normaliser = read_task_normaliser(options)};
    if (read.penalty < 0) throw Error("option", "penalty", "0 or more", std::to_string(read.penalty));
    if (read.protect < 0 || read.protect > 1)
        throw Error("option", "protect", "a share of a layer's channels in [0, 1]",
                    std::to_string(read.protect));
    return std::make_unique<SafePruning>(read);
}

}  // namespace

Registry<Criterion>::Entry safe_pruning_criterion() {
    return {{.key = "safe_pruning",
             .summary = "taylor's maximum over tasks minus conflict of their gradients; each task's best "
                        "channels stay",
             .paper = "Wang, Wu, Zhang, Suto, Zhong, arXiv 2511.05557, 2025",
             .options =
                 {{"penalty", 0.2, "weight of the conflict"},
                  {"protect", 0.2, "the share of a layer's channels of each task that leaves last"},
                  {"penalising", "subtract",
                   "with importance A and conflict P: rank(A) - penalty P, A (1 - penalty P), A - penalty P",
                   kPenalising.names()},
                  {"aggregate", "max", "importance over tasks", {"max", "mean"}},
                  {"absolute", false, "|dL/dgate| instead of its square"},
                  task_normaliser_option("mean")},
             .certainty = "low: after a description, none of its equations could be read"},
            make_safe_pruning};
}

}  // namespace mtlprune
