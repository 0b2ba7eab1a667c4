// Options that all engines of LibTorch have: layout, number type, device.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "base/registry.h"
#include "models/model.h"

namespace mtlprune {

struct PlacementOptions {
    bool channels_last = false;
    torch::ScalarType dtype = torch::kFloat32;
    torch::Device device = torch::kCPU;

    /// Why they cannot be had here; empty when they can.
    std::string missing() const;
    /// See Engine::tolerance().
    double tolerance() const;
    torch::Tensor place(const torch::Tensor& image) const;
    /// In eval mode, without gradients.
    void place(Model& model) const;
    void synchronise() const;
};

/// "layout", "dtype" and "device".
std::vector<Option> placement_options();
PlacementOptions read_placement_options(const nlohmann::json& options);

/// Predictions as Subject::outputs() gives them.
std::vector<torch::Tensor> as_outputs(const std::vector<torch::Tensor>& predictions);

}  // namespace mtlprune
