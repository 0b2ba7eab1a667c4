// LibTorch's automatic casts to a lower precision, whose functions differ between its versions.
#pragma once

#include <torch/types.h>

namespace mtlprune {

/// Operators on this tensor's device are cast at the moment (in this thread).
bool autocasting(const torch::Tensor& x);

/// As long as it lives, operators of this thread on `device` (CPU or CUDA) that gain from it compute in
/// `type`.
class Autocast {
  public:
    Autocast(torch::Device device, torch::ScalarType type);
    ~Autocast();
    Autocast(const Autocast&) = delete;
    Autocast& operator=(const Autocast&) = delete;

  private:
    torch::DeviceType device_;
    bool enabled_before_;
    torch::ScalarType type_before_;
};

}  // namespace mtlprune
