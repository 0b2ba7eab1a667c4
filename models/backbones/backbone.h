// What all tasks share of a network, and every kind of it that there is.
#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "base/registry.h"
#include "models/layers/initialisation.h"
#include "models/model.h"

namespace mtlprune {

class Backbone : public torch::nn::Module {
  public:
    /// Of each map that forward() gives, before anything was pruned.
    virtual std::vector<MapShape> maps() const = 0;
    /// image [B,3,H,W]
    virtual FeatureMaps forward(torch::Tensor image) = 0;
    /// Draws all parameters, see initialise_layers().
    virtual void initialise(uint64_t seed, uint64_t& position) {
        initialise_layers(*this, WeightDistribution::kaiming_fan_out, seed, position);
    }
    /// The name that a tensor of the backbone ("conv1.weight") has in the state dict that its paper's or
    /// torchvision's code saves; empty for what that code does not have.
    virtual std::string released_name(const std::string& name) const { return name; }
    /// See Model::set_gates().
    virtual void set_gates(const std::vector<torch::Tensor>& gates);
    virtual std::vector<torch::Tensor> gates() const { return {}; }
};

/// `full` times `width`, rounded, at least 1. Throws Error unless `width` is above 0.
int64_t scaled_channels(int64_t full, double width);

/// A program may add its own before it uses any.
Registry<Backbone>& backbones();

}  // namespace mtlprune
