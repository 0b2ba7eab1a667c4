// What is timed.
#pragma once

#include <torch/types.h>

#include <optional>
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
    /// Seconds of the last run as measured where it happened, if that is another process, so that asking for
    /// it does not count. Nothing for what runs in this process, which is measured from outside.
    virtual std::optional<double> own_seconds() const { return {}; }
    /// What the last run computed, float32 on the CPU; one tensor per prediction.
    virtual std::vector<torch::Tensor> outputs() = 0;
};

}  // namespace mtlprune
