// What criteria that run passes of their own share.
#pragma once

#include <functional>

#include "pruning/criteria/event_mean.h"
#include "pruning/criteria/score_reduction.h"
#include "pruning/evidence/layer_watch.h"

namespace mtlprune {

/// A mean over the mini-batches since the last event. The network is in eval mode when one is observed.
class PassCriterion : public MeanCriterion {
  public:
    /// `normaliser` divides the scores of every group.
    explicit PassCriterion(std::string name, ScoreNormaliser normaliser = ScoreNormaliser::none)
        : MeanCriterion(std::move(name), {}), normaliser_(normaliser) {}
    Needs needs() const override { return {.passes = true}; }
    Scores scores(const Evidence& now) const override;

  protected:
    /// The Error for a group of which there is nothing to look at.
    Error nothing_of(const Evidence& batch, size_t asked, const std::string& expected) const;

  private:
    ScoreNormaliser normaliser_;
};

/// Float64 [C] of what a layer reads of a group; undefined: nothing.
using OfReader = std::function<torch::Tensor(const LayerCall& call, const Member& member)>;

/// Sums over the readers of every asked group, each divided by how many there were.
class ReaderMeans {
  public:
    explicit ReaderMeans(const Evidence& batch) : sums_(batch.asked().size()), counts_(sums_.size(), 0) {}
    /// What a call says of the groups that it reads.
    void add(const LayerCall& call, const OfReader& of_reader);
    /// One tensor per asked group; undefined for one that nothing was said of.
    std::vector<torch::Tensor> means() const;

  private:
    std::vector<torch::Tensor> sums_;
    std::vector<int64_t> counts_;
};

}  // namespace mtlprune
