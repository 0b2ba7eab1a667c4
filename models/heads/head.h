// What a network has for each task alone, and every kind of it that there is.
#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "base/registry.h"
#include "models/layers/initialisation.h"
#include "models/model.h"

namespace mtlprune {

class Head : public torch::nn::Module {
  public:
    /// All maps of the backbone -> the task's prediction.
    virtual torch::Tensor forward(const FeatureMaps& features) = 0;
    /// Draws all parameters, see initialise_layers().
    virtual void initialise(uint64_t seed, uint64_t& position) {
        initialise_layers(*this, WeightDistribution::uniform_fan_in, seed, position);
    }
};

/// Made for the backbone's maps and for a task. A program may add its own before it uses any. A head that
/// needs other maps throws Error.
using HeadRegistry = Registry<Head, const std::vector<MapShape>&, const TaskSpec&>;
HeadRegistry& heads();

}  // namespace mtlprune
