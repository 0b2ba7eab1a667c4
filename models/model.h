// What a network is to everything else: one forward pass, one prediction per task.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/contract/task.h"

namespace mtlprune {

/// What all tasks share of a forward pass: one or more maps [B,C,h,w]; most heads read the last.
using FeatureMaps = std::vector<torch::Tensor>;

/// Of one map, for an image whose height and width are multiples of its stride.
struct MapShape {
    int64_t channels;
    int64_t stride;  ///< the image's height by the map's
};

/// Names as in named_parameters() of the whole network.
using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;

class Model : public torch::nn::Module {
  public:
    /// Throws Error when there is no task or two have one name.
    explicit Model(std::vector<TaskSpec> tasks);

    /// In the order of predictions and targets.
    const std::vector<TaskSpec>& tasks() const { return tasks_; }

    /// image [B,3,H,W]. Every gradient of a shared parameter flows through these maps.
    virtual FeatureMaps features(const torch::Tensor& image) = 0;
    /// The prediction of task number `task`: [B,C,h,w], of a classification [B,C].
    virtual torch::Tensor predict(size_t task, const FeatureMaps& features) = 0;
    /// One prediction per task; what they share is computed once.
    std::vector<torch::Tensor> forward(const torch::Tensor& image);

    /// Those under "heads.<task's name>." belong to that task, the others to all.
    NamedParameters shared_parameters() const;
    NamedParameters parameters_of(size_t task) const;

    /// Draws all parameters; depends on `seed` alone.
    virtual void initialise(uint64_t seed) = 0;
    /// Seeds the dropout masks of the next forward passes (they depend on this key alone).
    virtual void set_dropout_key(uint64_t key);

    /// Explicit factors on channels, one tensor [C] per prunable layer in the order of its forward pass, as
    /// some released code has them; empty: none. Only as_released fidelity and tests need them. Throws Error
    /// for a network that has no place for them.
    virtual void set_gates(const std::vector<torch::Tensor>& gates);
    virtual std::vector<torch::Tensor> gates() const { return {}; }

  private:
    std::vector<TaskSpec> tasks_;
};

using ModelPtr = std::shared_ptr<Model>;

}  // namespace mtlprune
