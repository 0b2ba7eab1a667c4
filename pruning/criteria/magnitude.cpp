// L1 and L2 (Li et al., Pruning Filters for Efficient ConvNets, 2017).
#include "pruning/criteria/member_scores.h"

namespace mtlprune {
namespace {

/// Sum of |w| or w^2 over a channel's slices.
class Magnitude : public Criterion {
  public:
    Magnitude(Summand summand, MemberScoring scoring) : summand_(summand), scoring_(scoring) {}
    Needs needs() const override { return {.weights = true}; }
    Scores scores(const Evidence& now) const override {
        MemberScores scores(now, scoring_);
        scores.set_sums(scores.groups(), summand_);
        return scores.take();
    }

  private:
    Summand summand_;
    MemberScoring scoring_;
};

Registry<Criterion>::Entry magnitude_entry(const char* key, const char* summary, Summand summand) {
    return {{.key = key,
             .summary = summary,
             .paper = "Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017",
             .options = member_scoring_options()},
            [summand](const nlohmann::json& options) {
                return std::make_unique<Magnitude>(summand, read_member_scoring(options));
            }};
}

}  // namespace

Registry<Criterion>::Entry l1_criterion() {
    return magnitude_entry("l1", "sum of the absolute weights of a channel's slices", Summand::absolute);
}

Registry<Criterion>::Entry l2_criterion() {
    return magnitude_entry("l2",
                           "sum of the squared weights of a channel's slices (squared, as in Torch-Pruning)",
                           Summand::square);
}

}  // namespace mtlprune
