// L1 and L2 (Li et al., Pruning Filters for Efficient ConvNets, 2017).
#include "pruning/criteria/member_scores.h"

namespace mtlprune {
namespace {

/// Sum of |w|^p over a channel's slices.
class Magnitude : public Criterion {
  public:
    Magnitude(int p, MemberScoring scoring) : p_(p), scoring_(scoring) {}
    Needs needs() const override { return {.weights = true}; }
    Scores scores(const Evidence& now) const override {
        MemberScores scores(now, scoring_);
        scores.set_sums(scores.groups(), p_);
        return scores.take();
    }

  private:
    int p_;
    MemberScoring scoring_;
};

Registry<Criterion>::Entry magnitude_entry(const char* key, const char* summary, int p) {
    return {{.key = key,
             .summary = summary,
             .paper = "Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017",
             .options = member_scoring_options()},
            [p](const nlohmann::json& options) {
                return std::make_unique<Magnitude>(p, read_member_scoring(options));
            }};
}

}  // namespace

Registry<Criterion>::Entry l1_criterion() {
    return magnitude_entry("l1", "sum of the absolute weights of a channel's slices", 1);
}

Registry<Criterion>::Entry l2_criterion() {
    return magnitude_entry(
        "l2", "sum of the squared weights of a channel's slices (squared, as in Torch-Pruning)", 2);
}

}  // namespace mtlprune
