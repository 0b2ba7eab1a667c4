// Taylor importance of single weights, summed up over a channel's slices: Torch-Pruning's form and that of
// Molchanov et al. (CVPR 2019).
#include <torch/utils.h>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/event_mean.h"
#include "pruning/criteria/member_scores.h"
#include "pruning/criteria/taylor.h"
#include "pruning/evidence/mean_gradients.h"

namespace mtlprune {
namespace {

enum class SliceForm { absolute, squared, multivariable };
enum class TaylorMembers { all, layers, producers };

const EnumNames<SliceForm> kSliceForms = {{SliceForm::absolute, "absolute"},
                                          {SliceForm::squared, "squared"},
                                          {SliceForm::multivariable, "multivariable"}};
const EnumNames<TaylorMembers> kTaylorMembers = {
    {TaylorMembers::all, "all"}, {TaylorMembers::layers, "layers"}, {TaylorMembers::producers, "producers"}};

struct WeightTaylorOptions {
    SliceForm form;
    TaylorMembers members;
    bool mean_of_scores;
    MemberScoring scoring;
};

/// Per member of a group: sum of |w g|, sum of (w g)^2, or |sum of w g| over a channel's slices. What is
/// averaged over mini-batches is g, or these sums.
class WeightTaylor : public GroupwiseMean {
  public:
    WeightTaylor(MeanOptions mean, WeightTaylorOptions options)
        : GroupwiseMean("taylor_weight", mean), options_(options) {}
    Needs needs() const override { return {.weights = true, .gradients = true}; }

    void observe(const Evidence& batch) override {
        if (options_.mean_of_scores) return MeanCriterion::observe(batch);
        std::vector<const Member*> members;
        for (const size_t number : batch.asked())
            for (const auto& scored : members_of(batch, batch.groups()[number]))
                members.push_back(scored.member);
        gradients_.add(batch, members);
    }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        const auto gradients = options_.mean_of_scores ? GradientLists{} : gradients_.means(name());
        const auto sums = options_.mean_of_scores ? means() : std::vector<torch::Tensor>{};
        MemberScores scores(now, options_.scoring);
        for (size_t i = 0; i < now.asked().size(); ++i) {
            const size_t number = now.asked()[i];
            if (now.groups()[number].channels == 0) continue;
            const auto columns = options_.mean_of_scores ? sums.at(i) : of_means(now, number, gradients);
            std::vector<ChannelValues> members;
            for (const auto& column : columns.t().contiguous().to(torch::kCPU).unbind(0))
                members.emplace_back(column.data_ptr<double>(), column.data_ptr<double>() + column.numel());
            scores.set(number, members);
        }
        return scores.take();
    }

    void after_event(const std::vector<torch::Tensor>& kept) override {
        MeanCriterion::after_event(kept);
        gradients_.reset();
    }
    std::map<std::string, torch::Tensor> state() const override {
        auto state = MeanCriterion::state();
        gradients_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        MeanCriterion::load_state(state);
        gradients_.load(state);
    }

  protected:
    torch::Tensor contribution(const Evidence& batch, size_t i) override {
        return member_sums(batch, batch.asked()[i], [&](const std::string& tensor) {
            const auto found = batch.gradients.find(tensor);
            return found == batch.gradients.end() ? nullptr : &found->second;
        });
    }

  private:
    torch::Tensor of_means(const Evidence& now, size_t number, const GradientLists& gradients) const {
        return member_sums(now, number, [&](const std::string& tensor) {
            const auto found = gradients.find(tensor);
            return found == gradients.end() ? nullptr : &found->second.front();
        });
    }

    std::vector<ScoredMember> members_of(const Evidence& evidence, const Group& group) const {
        auto members = options_.members == TaylorMembers::all ? evidence.scored().of(group)
                                                              : evidence.scored().layers_of(group);
        if (options_.members == TaylorMembers::producers)
            std::erase_if(members, [](const ScoredMember& m) { return m.member->role != Role::output; });
        return members.empty() ? evidence.scored().of(group) : members;
    }

    /// [C, members]; a member whose gradient is not known counts as 0.
    template <typename GradientOf>
    torch::Tensor member_sums(const Evidence& evidence, size_t number, const GradientOf& gradient_of) const {
        const auto& group = evidence.groups()[number];
        std::vector<torch::Tensor> columns;
        bool is_known = false;
        for (const auto& [member, multiplicity] : members_of(evidence, group)) {
            const torch::Tensor* gradient = gradient_of(member->tensor);
            is_known = is_known || gradient != nullptr;
            columns.push_back(gradient == nullptr ? torch::zeros({group.channels}, torch::kDouble)
                                                  : slice_sums(evidence, group, *member, *gradient) *
                                                        static_cast<double>(multiplicity));
        }
        if (!is_known)
            throw Error("criterion taylor_weight", "group " + group.name, "gradients of its weights", "none");
        for (auto& column : columns) column = column.to(torch::kCPU);
        return torch::stack(columns, 1);
    }

    torch::Tensor slice_sums(const Evidence& evidence, const Group& group, const Member& member,
                             const torch::Tensor& gradient) const {
        auto product = weight_times_gradient(evidence, group, member, gradient).to(torch::kDouble);
        product = product.dim() > 1 ? product.flatten(1) : product.unsqueeze(1);
        if (options_.form == SliceForm::multivariable) return product.sum(1).abs();
        return (options_.form == SliceForm::squared ? product.square() : product.abs()).sum(1);
    }

    WeightTaylorOptions options_;
    MeanGradients gradients_{/*per_task=*/false};
};

std::unique_ptr<Criterion> make_weight_taylor(const nlohmann::json& options) {
    const auto mean = read_mean_options(options);
    const bool of_scores = options.at("average").get<std::string>() == "scores";
    if (!of_scores && (mean.momentum > 0 || !mean.window))
        throw Error("option", "average", "scores beside momentum or window=false", "gradients");
    return std::make_unique<WeightTaylor>(
        mean, WeightTaylorOptions{
                  .form = kSliceForms.value(options.at("form").get<std::string>(), "form"),
                  .members = kTaylorMembers.value(options.at("members").get<std::string>(), "members"),
                  .mean_of_scores = of_scores,
                  .scoring = read_member_scoring(options)});
}

}  // namespace

Registry<Criterion>::Entry taylor_weight_criterion() {
    std::vector<Option> options = {
        {"form", "absolute", "over a slice: sum |w g|, sum (w g)^2, or |sum w g|", kSliceForms.names()},
        {"members", "all",
         "what counts: layers and norms, layers alone (Torch-Pruning, whose branch for batch norms never "
         "runs), or the filters that produce the channels",
         kTaylorMembers.names()},
        {"average", "gradients", "over mini-batches: of g, or of the sums", {"gradients", "scores"}}};
    for (const auto& shared : {member_scoring_options(), mean_options()})
        options.insert(options.end(), shared.begin(), shared.end());
    return {{.key = "taylor_weight",
             .summary = "weights times their gradients, summed over a channel's slices",
             .paper = "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019 (weight "
                      "form); Fang et al., DepGraph, CVPR 2023 (over groups)",
             .options = options,
             .as_released = {{"members", "layers"}}},
            make_weight_taylor};
}

}  // namespace mtlprune
