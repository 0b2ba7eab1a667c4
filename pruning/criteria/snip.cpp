// SNIP (Lee, Ajanthan, Torr, Single-shot Network Pruning based on Connection Sensitivity, ICLR 2019) on
// channels.
#include <torch/utils.h>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/task_scores.h"
#include "pruning/criteria/taylor.h"
#include "pruning/evidence/mean_gradients.h"

namespace mtlprune {
namespace {

/// gate: |dL/dgate|. sum: of |w dL/dw| over the channel's slices of layers' weights. mean: sum over their
/// number.
enum class ChannelForm { gate, sum, mean };

const EnumNames<ChannelForm> kChannelForms = {
    {ChannelForm::gate, "gate"}, {ChannelForm::sum, "sum"}, {ChannelForm::mean, "mean"}};

struct SnipOptions {
    ChannelForm form;
    bool task_norm, absolute_batches, normalise;
};

/// Gradients are averaged over the mini-batches; then absolute values are taken, once. The scores of all
/// channels add up to 1: every task's by itself, then averaged over tasks.
class Snip : public Criterion {
  public:
    explicit Snip(SnipOptions options) : options_(options), gradients_(options.task_norm) {}
    Needs needs() const override {
        return {.weights = options_.form != ChannelForm::gate,
                .gradients = !options_.task_norm,
                .task_gradients = options_.task_norm};
    }

    void observe(const Evidence& batch) override {
        const torch::NoGradGuard no_grad;
        std::vector<torch::Tensor> gates;
        std::vector<const Member*> members;
        for (size_t i = 0; i < batch.asked().size(); ++i) {
            if (options_.form == ChannelForm::gate)
                gates.push_back(of_gate(batch, i));
            else
                for (const Member* member : weights_of(batch, batch.groups()[batch.asked()[i]]))
                    members.push_back(member);
        }
        if (options_.form == ChannelForm::gate)
            gates_.add(gates);
        else
            gradients_.add(batch, members);
    }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        std::vector<torch::Tensor> groups;
        if (options_.form == ChannelForm::gate) {
            for (const auto& gate : gates_.means("snip")) groups.push_back(gate.abs());
        } else {
            const auto gradients = gradients_.means("snip");
            for (const size_t number : now.asked()) groups.push_back(of_weights(now, number, gradients));
        }
        groups = normalise_tasks(groups, options_.normalise ? TaskNormaliser::sum : TaskNormaliser::none);
        for (auto& group : groups) group = group.mean(1);
        return scores_of_asked(now, groups);
    }

    void after_event(const std::vector<torch::Tensor>&) override {
        gates_.reset();
        gradients_.reset();
    }
    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        gates_.save(state);
        gradients_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        gates_.load(state);
        gradients_.load(state);
    }

  private:
    /// [C, T], or [C, 1] of the total loss.
    torch::Tensor of_gate(const Evidence& batch, size_t i) const {
        const auto gradient =
            options_.task_norm ? task_gate_gradients(batch, i, "snip") : gate_gradient(batch, i).unsqueeze(1);
        return options_.absolute_batches ? gradient.abs() : gradient;
    }

    static std::vector<const Member*> weights_of(const Evidence& evidence, const Group& group) {
        auto scored = evidence.scored().layers_of(group);
        if (scored.empty()) scored = evidence.scored().of(group);
        std::vector<const Member*> members;
        for (const auto& one : scored) members.push_back(one.member);
        return members;
    }

    torch::Tensor of_weights(const Evidence& now, size_t number, const GradientLists& gradients) const {
        const auto& group = now.groups()[number];
        std::vector<torch::Tensor> tasks;
        auto count = torch::zeros({group.channels}, torch::kDouble);
        for (const Member* member : weights_of(now, group)) {
            const auto found = gradients.find(member->tensor);
            if (found == gradients.end()) continue;
            tasks.resize(found->second.size());
            for (size_t t = 0; t < tasks.size(); ++t) {
                const auto term =
                    Evidence::row_sums(weight_times_gradient(now, group, *member, found->second[t]).abs());
                tasks[t] = tasks[t].defined() ? tasks[t] + term : term;
            }
            // Weights that masks have set to zero are not there.
            const auto weights = Evidence::rows(*member, now.value(group, *member).detach());
            count = count.to(weights.device()) + Evidence::row_sums(weights != 0);
        }
        if (tasks.empty())
            throw Error("criterion snip", "group " + group.name, "gradients of its weights", "none");
        const auto sums = torch::stack(tasks, 1);
        return options_.form == ChannelForm::mean ? sums / count.clamp_min(1.0).unsqueeze(1) : sums;
    }

    SnipOptions options_;
    ScoreMean gates_;
    MeanGradients gradients_;
};

std::unique_ptr<Criterion> make_snip(const nlohmann::json& options) {
    const SnipOptions read{kChannelForms.value(options.at("form").get<std::string>(), "form"),
                           options.at("task_norm").get<bool>(), options.at("absolute_batches").get<bool>(),
                           options.at("normalise").get<bool>()};
    if (read.absolute_batches && read.form != ChannelForm::gate)
        throw Error("option", "absolute_batches", "form=gate beside it", options.at("form").dump());
    return std::make_unique<Snip>(read);
}

}  // namespace

Registry<Criterion>::Entry snip_criterion() {
    return {{.key = "snip",
             .summary = "absolute gradient of a gate on the channel, at initialisation (papers: on weights)",
             .paper = "Lee, Ajanthan, Torr, SNIP, ICLR 2019; Verdenius, Stol, Forre, Pruning via Iterative "
                      "Ranking of Sensitivity Statistics, 2020 (SNAP: form=gate,absolute_batches)",
             .options = {{"form", "gate",
                          "a channel's score: |dL/dgate|, or sum or mean of |w dL/dw| over its slices of "
                          "layers' weights",
                          kChannelForms.names()},
                         {"task_norm", true,
                          "each task's scores are divided by their sum first (false: of the total loss)"},
                         {"absolute_batches", false,
                          "absolute values of every mini-batch are averaged (SNAP), not those of the mean"},
                         {"normalise", true,
                          "divide by the sum of all scores (SNAP divides by the loss: neither changes the "
                          "order for one loss)"}}},
            make_snip};
}

}  // namespace mtlprune
