// Taylor importance of single weights, summed up over a channel's slices: Torch-Pruning's form and that of
// Molchanov et al. (CVPR 2019).
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/event_mean.h"
#include "pruning/criteria/member_scores.h"
#include "pruning/evidence/mean_gradients.h"

namespace mtlprune {
namespace {

enum class TaylorMembers { all, layers, producers };

const EnumNames<Summand> kSliceForms = {
    {Summand::absolute, "absolute"}, {Summand::square, "squared"}, {Summand::value, "multivariable"}};
const EnumNames<TaylorMembers> kTaylorMembers = {
    {TaylorMembers::all, "all"}, {TaylorMembers::layers, "layers"}, {TaylorMembers::producers, "producers"}};

struct WeightTaylorOptions {
    Summand form;  ///< `value`: |sum of w g|
    TaylorMembers members;
    bool mean_of_scores;
    MemberScoring scoring;
};

/// Per member of a group: sum of |w g|, sum of (w g)^2, or |sum of w g| over a channel's slices. What is
/// averaged over mini-batches is g, or these sums.
class WeightTaylor : public MeanCriterion {
  public:
    WeightTaylor(MeanOptions mean, WeightTaylorOptions options)
        : MeanCriterion("taylor_weight", mean), options_(options) {}
    Needs needs() const override { return {.weights = true, .gradients = true}; }

    void observe(const Evidence& batch) override {
        if (options_.mean_of_scores) return MeanCriterion::observe(batch);
        std::vector<const Member*> members;
        for (const auto& scored : members_of(batch))
            for (const auto& [member, multiplicity] : scored) members.push_back(member);
        gradients_.add(batch, members);
    }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        const auto sums = options_.mean_of_scores ? columns_of(means()) : sums_of_means(now);
        MemberScores scores(now, options_.scoring);
        for (size_t i = 0; i < now.asked().size(); ++i)
            if (now.groups()[now.asked()[i]].channels > 0) scores.set(now.asked()[i], sums[i]);
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
    /// [C, members] of every asked group.
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        const auto sums = slice_sums(batch, [&](const std::string& tensor) {
            const auto found = batch.gradients.find(tensor);
            return found == batch.gradients.end() ? nullptr : &found->second;
        });
        std::vector<torch::Tensor> matrices;
        for (const auto& members : sums) {
            std::vector<torch::Tensor> columns;
            for (const auto& values : members) columns.push_back(torch::tensor(values, torch::kDouble));
            matrices.push_back(torch::stack(columns, 1));
        }
        return matrices;
    }

  private:
    using GroupSums = std::vector<std::vector<ChannelValues>>;  ///< per asked group, per member

    GroupSums sums_of_means(const Evidence& now) const {
        const auto gradients = gradients_.means(name());
        return slice_sums(now, [&](const std::string& tensor) {
            const auto found = gradients.find(tensor);
            return found == gradients.end() ? nullptr : &found->second.front();
        });
    }

    static GroupSums columns_of(const std::vector<torch::Tensor>& matrices) {
        GroupSums sums;
        for (const auto& matrix : matrices) {
            auto& members = sums.emplace_back();
            for (const auto& column : matrix.t().contiguous().to(torch::kCPU).unbind(0))
                members.emplace_back(column.data_ptr<double>(), column.data_ptr<double>() + column.numel());
        }
        return sums;
    }

    std::vector<std::vector<ScoredMember>> members_of(const Evidence& evidence) const {
        std::vector<std::vector<ScoredMember>> all;
        for (const size_t number : evidence.asked())
            all.push_back(members_of(evidence, evidence.groups()[number]));
        return all;
    }

    std::vector<ScoredMember> members_of(const Evidence& evidence, const Group& group) const {
        auto members = options_.members == TaylorMembers::all ? evidence.scored().of(group)
                                                              : evidence.scored().layers_of(group);
        if (options_.members == TaylorMembers::producers)
            std::erase_if(members, [](const ScoredMember& m) { return m.member->role != Role::output; });
        return members.empty() ? evidence.scored().of(group) : members;
    }

    GroupSums slice_sums(const Evidence& evidence, const GradientOf& gradient_of) const {
        const auto members = members_of(evidence);
        for (size_t i = 0; i < members.size(); ++i) {
            const auto& group = evidence.groups()[evidence.asked()[i]];
            const auto is_known = [&](const ScoredMember& scored) {
                return gradient_of(scored.member->tensor) != nullptr;
            };
            if (group.channels > 0 && std::ranges::none_of(members[i], is_known))
                throw Error("criterion taylor_weight", "group " + group.name, "gradients of its weights",
                            "none");
        }
        auto sums = member_sums(evidence, evidence.asked(), members, options_.form, gradient_of);
        if (options_.form == Summand::value)
            for (auto& group : sums)
                for (auto& values : group)
                    for (double& value : values) value = std::fabs(value);
        return sums;
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
