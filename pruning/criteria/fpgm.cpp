// FPGM (He et al., Filter Pruning via Geometric Median, CVPR 2019).
#include <torch/utils.h>

#include "pruning/criteria/filter_distances.h"
#include "pruning/criteria/member_scores.h"

namespace mtlprune {
namespace {

/// Sum of the distances to the other channels' filters.
class GeometricMedian : public Criterion {
  public:
    GeometricMedian(MemberScoring scoring, bool of_squares) : scoring_(scoring), of_squares_(of_squares) {}
    Needs needs() const override { return {.weights = true}; }

    Scores scores(const Evidence& now) const override {
        const torch::NoGradGuard no_grad;
        MemberScores scores(now, scoring_);
        for (const size_t g : scores.groups()) {
            const auto& group = now.groups()[g];
            auto scored = now.scored().layers_of(group);
            if (scored.empty()) {
                scored = now.scored().of(group);
                scores.note(g, "has no convolution or linear layer: distances between its other parameters");
            }
            std::vector<ChannelValues> members;
            members.reserve(scored.size());
            for (const auto& [member, multiplicity] : scored)
                members.push_back(filter_distances(*member, now.value(group, *member), of_squares_));
            scores.set(g, members);
        }
        return scores.take();
    }

  private:
    MemberScoring scoring_;
    bool of_squares_;
};

}  // namespace

Registry<Criterion>::Entry fpgm_criterion() {
    auto options = member_scoring_options();
    options.push_back(
        {"of_squares", false,
         "distances between element-wise w^2, column by column after a flatten, as Torch-Pruning has it"});
    return {{.key = "fpgm",
             .summary = "sum of the distances to the other channels' filters",
             .paper = "He et al., Filter Pruning via Geometric Median, CVPR 2019",
             .options = options},
            [](const nlohmann::json& options) {
                return std::make_unique<GeometricMedian>(read_member_scoring(options),
                                                         options.at("of_squares").get<bool>());
            }};
}

}  // namespace mtlprune
