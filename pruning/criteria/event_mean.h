// What criteria share that average over mini-batches, and perhaps over pruning events too.
#pragma once

#include <string>
#include <vector>

#include "pruning/criteria/criterion.h"

namespace mtlprune {

/// Which mini-batches count.
struct MeanOptions {
    bool window = true;   ///< those since the last event; false: all since the start
    double momentum = 0;  ///< how much of the last event's mean stays
};

/// "window" and "momentum". The momentum is that of the released engine of Molchanov et al. (2019): the first
/// event's score is its window's mean, every later one m times the last score plus 1 - m times the mean.
std::vector<Option> mean_options();
/// Throws Error on a momentum outside of [0, 1) or without a window.
MeanOptions read_mean_options(const nlohmann::json& options);

/// Mean of contributions [C, ...] per asked group.
class EventMean {
  public:
    explicit EventMean(MeanOptions options) : options_(options) {}
    void add(const std::vector<torch::Tensor>& contributions) { mean_.add(contributions); }
    /// One tensor per asked group. Throws Error naming the criterion when nothing was added.
    std::vector<torch::Tensor> means(const std::string& criterion) const;
    void after_event(const std::vector<torch::Tensor>& kept);
    void save(std::map<std::string, torch::Tensor>& state) const;
    void load(const std::map<std::string, torch::Tensor>& state);

  private:
    MeanOptions options_;
    ScoreMean mean_;
    std::vector<torch::Tensor> last_;  ///< the last event's
};

/// A criterion that asks every mini-batch by itself and averages what they say. Gradients are not recorded.
class MeanCriterion : public Criterion {
  public:
    MeanCriterion(std::string name, MeanOptions options) : name_(std::move(name)), mean_(options) {}
    void observe(const Evidence& batch) override;
    Scores scores(const Evidence& now) const override { return scores_of_asked(now, means()); }
    void after_event(const std::vector<torch::Tensor>& kept) override { mean_.after_event(kept); }
    std::map<std::string, torch::Tensor> state() const override;
    void load_state(const std::map<std::string, torch::Tensor>& state) override { mean_.load(state); }

  protected:
    /// One tensor [C, ...] per asked group.
    virtual std::vector<torch::Tensor> contributions(const Evidence& batch) = 0;
    std::vector<torch::Tensor> means() const { return mean_.means(name_); }
    const std::string& name() const { return name_; }

  private:
    std::string name_;
    EventMean mean_;
};

/// One that looks at every group by itself.
class GroupwiseMean : public MeanCriterion {
  protected:
    using MeanCriterion::MeanCriterion;
    /// [C, ...] of asked group number `i`.
    virtual torch::Tensor contribution(const Evidence& batch, size_t i) = 0;

  private:
    std::vector<torch::Tensor> contributions(const Evidence& batch) final;
};

}  // namespace mtlprune
