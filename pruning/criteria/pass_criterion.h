// What criteria that run passes of their own share: a mean over the mini-batches since the last event.
#pragma once

#include "pruning/criteria/criterion.h"
#include "pruning/criteria/score_reduction.h"

namespace mtlprune {

/// The network is in eval mode when observe() is called.
class PassCriterion : public Criterion {
  public:
    /// `normaliser` divides the scores of every group.
    explicit PassCriterion(std::string key, ScoreNormaliser normaliser = ScoreNormaliser::none)
        : key_(std::move(key)), normaliser_(normaliser) {}
    Needs needs() const override { return {.passes = true}; }
    void observe(const Evidence& batch) override { mean_.add(contributions(batch)); }
    Scores scores(const Evidence& now) const override;
    void after_event(const std::vector<torch::Tensor>& kept) override;
    std::map<std::string, torch::Tensor> state() const override;
    void load_state(const std::map<std::string, torch::Tensor>& state) override { mean_.load(state); }

  protected:
    /// One tensor [C] per asked group.
    virtual std::vector<torch::Tensor> contributions(const Evidence& batch) const = 0;
    const std::string& key() const { return key_; }
    /// The Error for a group of which there is nothing to look at.
    Error nothing_of(const Evidence& batch, size_t asked, const std::string& expected) const;

  private:
    std::string key_;
    ScoreNormaliser normaliser_;
    ScoreMean mean_;
};

/// Sums of values by group, each divided by how many were added.
class GroupMeans {
  public:
    explicit GroupMeans(size_t groups) : sums_(groups), counts_(groups, 0) {}
    void add(size_t group, const torch::Tensor& values);
    bool has(size_t group) const { return counts_[group] > 0; }
    torch::Tensor mean(size_t group) const { return sums_[group] / static_cast<double>(counts_[group]); }

  private:
    std::vector<torch::Tensor> sums_;
    std::vector<int64_t> counts_;
};

/// [C], float64: sums over a channel's slices of a tensor of the member's shape.
torch::Tensor slice_sums(const Member& member, const torch::Tensor& values);

}  // namespace mtlprune
