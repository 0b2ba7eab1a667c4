// What is timed.
#pragma once

#include <torch/types.h>

#include <vector>

namespace mtlprune {

/// Something that runs again and again on the same input.
class Subject {
  public:
    virtual ~Subject() = default;
    /// Once; the device may still be at work when it returns.
    virtual void run() = 0;
    /// Waits for the device.
    virtual void synchronise() {}
    /// What the last run computed, float32 on the CPU; one tensor per prediction.
    virtual std::vector<torch::Tensor> outputs() = 0;
};

}  // namespace mtlprune
