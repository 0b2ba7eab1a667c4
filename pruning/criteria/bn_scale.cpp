// Scales of batch norms (Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV
// 2017).
#include "base/error.h"
#include "pruning/criteria/member_scores.h"

namespace mtlprune {
namespace {

/// |gamma|.
class BatchNormScale : public Criterion {
  public:
    BatchNormScale(MemberScoring scoring, bool replace_missing)
        : scoring_(scoring), replace_missing_(replace_missing) {}
    Needs needs() const override { return {.weights = true}; }

    Scores scores(const Evidence& now) const override {
        MemberScores scores(now, scoring_);
        std::vector<size_t> with, without;
        std::vector<std::vector<ScoredMember>> norms;
        for (const size_t g : scores.groups()) {
            auto members = now.scored().batch_norms_of(now.groups()[g]);
            (members.empty() ? without : with).push_back(g);
            if (!members.empty()) norms.push_back(std::move(members));
        }
        if (!without.empty() && !replace_missing_)
            throw Error("criterion bn_scale", "group " + now.groups()[without.front()].name,
                        "a batch norm with weights", "none");
        scores.set_sums(with, norms, Summand::absolute);
        scores.set_sums(without, Summand::square);
        for (const size_t g : without) scores.note(g, "has no batch norm with weights: scored by l2");
        return scores.take();
    }

  private:
    MemberScoring scoring_;
    bool replace_missing_;
};

}  // namespace

Registry<Criterion>::Entry bn_scale_criterion() {
    auto options = member_scoring_options();
    options.push_back({"replace_missing", true, "score groups without batch norm by l2 (false: an error)"});
    return {
        {.key = "bn_scale",
         .summary = "absolute scales of the batch norms",
         .paper = "Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017",
         .options = options},
        [](const nlohmann::json& options) {
            return std::make_unique<BatchNormScale>(read_member_scoring(options),
                                                    options.at("replace_missing").get<bool>());
        }};
}

}  // namespace mtlprune
