// Gradients of parameters averaged over mini-batches: for criteria that are not linear in them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pruning/evidence/evidence.h"

namespace mtlprune {

/// A list per parameter: the gradient of every task's loss, or that of their sum alone.
using GradientLists = std::map<std::string, std::vector<torch::Tensor>>;

/// Those since the last event. Takes as much memory as the gradients of one mini-batch.
class MeanGradients {
  public:
    /// per_task: of every task's loss.
    explicit MeanGradients(bool per_task) : per_task_(per_task) {}
    /// Gradients of the members' tensors of one mini-batch, each tensor once. One that is not known counts as
    /// zero.
    void add(const Evidence& batch, const std::vector<const Member*>& members);
    /// Sums divided by the number of mini-batches. Throws Error naming the criterion when there was none.
    GradientLists means(const std::string& criterion) const;
    void reset();
    void save(std::map<std::string, torch::Tensor>& state) const;
    void load(const std::map<std::string, torch::Tensor>& state);

  private:
    std::vector<torch::Tensor> gradients_of(const Evidence& batch, const std::string& tensor) const;

    struct Sum {
        torch::Tensor value;
        bool ours;  ///< may be added to in place
    };
    void add(Sum& sum, const torch::Tensor& gradient, bool lasting);

    bool per_task_;
    int64_t count_ = 0;
    std::map<std::string, std::vector<Sum>> sums_;
};

}  // namespace mtlprune
