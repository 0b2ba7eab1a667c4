// LAMP (Lee et al., Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021), channel form of
// Torch-Pruning.
#include "pruning/criteria/member_scores.h"

namespace mtlprune {
namespace {

/// L2 over the sum of all L2 of the group that are not smaller.
class Lamp : public Criterion {
  public:
    explicit Lamp(MemberReduction reduction) : scoring_{reduction, ScoreNormaliser::lamp} {}
    Needs needs() const override { return {.weights = true}; }
    Scores scores(const Evidence& now) const override {
        MemberScores scores(now, scoring_);
        scores.set_sums(scores.groups(), Summand::square);
        return scores.take();
    }

  private:
    MemberScoring scoring_;
};

}  // namespace

Registry<Criterion>::Entry lamp_criterion() {
    auto options = member_scoring_options();
    options.pop_back();  // the normaliser is the method
    return {{.key = "lamp",
             .summary = "squared weights over those of all channels of the group that are not smaller",
             .paper = "Lee et al., Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021",
             .options = options},
            [](nlohmann::json given) {
                given["normaliser"] = "lamp";
                return std::make_unique<Lamp>(read_member_scoring(given).reduction);
            }};
}

}  // namespace mtlprune
