// Whether losses still go down, window by window.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <limits>

#include "training/checkpoint.h"

namespace mtlprune {

/// A window is as good as the mean, over its mini-batches, of the sum of the tasks' losses.
class Patience {
  public:
    /// How many windows in a row that are no better than the best one it takes to lose it.
    explicit Patience(int64_t windows) : windows_(windows) {}

    /// The losses [T] of a mini-batch.
    void add(const torch::Tensor& losses);
    /// Would be lost if the window ended here. A window without mini-batches is no worse than any.
    bool is_lost() const { return stale_now() >= windows_; }
    /// Ends the window.
    void end_window();
    /// Forgets what was reached.
    void start_again();

    TensorMap state() const;
    void load_state(const TensorMap& state);

  private:
    double mean() const;
    bool is_better() const { return count_ == 0 || mean() < best_; }
    int64_t stale_now() const { return is_better() ? 0 : stale_ + 1; }

    int64_t windows_;
    torch::Tensor sum_;  ///< on the losses' device; undefined without any
    int64_t count_ = 0;
    double best_ = std::numeric_limits<double>::infinity();
    int64_t stale_ = 0;  ///< windows since the best one
};

}  // namespace mtlprune
