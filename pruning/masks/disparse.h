// The forms of DiSparse on single weights (Sun et al., DiSparse: Disentangled Sparsification for Multitask
// Model Compression, CVPR 2022).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pruning/masks/task_votes.h"
#include "pruning/masks/weight_masking.h"

namespace mtlprune {

/// Each task scores its weights over the first mini-batches, while none changes; then all vote once. With no
/// mini-batches before the first iteration.
class ScoredMasking : public WeightMasking {
  public:
    ScoredMasking(VoteOptions options, int64_t batches) : options_(options), batches_(batches) {}

    MaskingNeeds needs(int64_t iteration) const override { return {.no_update = scores(iteration)}; }
    void begin(const MaskingStart& start) override;
    void after_gradients(MaskingGradients& step) override;
    WeightMasks masks() const override { return masks_; }
    bool settled(int64_t iteration) const override { return !scores(iteration); }
    TensorMap state() const override;
    void load_state(const TensorMap& state) override;

  protected:
    bool scores(int64_t iteration) const { return iteration < batches_; }
    /// Per task and weight, to be added to the scores; not negative. Only called with mini-batches.
    virtual TaskWeightGradients of_iteration(MaskingGradients& step) = 0;
    /// What the sums [task][weight] say in the end.
    virtual void finish(const std::vector<MaskableWeight>& weights,
                        std::vector<WeightScores>& sums) const = 0;

  private:
    void decide_now(const std::vector<MaskableWeight>& weights);

    VoteOptions options_;
    int64_t batches_;
    std::vector<std::string> tasks_;
    std::vector<WeightScores> sums_;  ///< empty once decided
    WeightMasks masks_;
};

/// Sections of the entry's options.
std::unique_ptr<WeightMasking> static_disparse(const nlohmann::json& options);
std::unique_ptr<WeightMasking> pretrained_disparse(const nlohmann::json& options);
std::unique_ptr<WeightMasking> dynamic_disparse(const nlohmann::json& options);

VoteOptions vote_options(const nlohmann::json& options);
bool keeps_ties(const nlohmann::json& options);

}  // namespace mtlprune
