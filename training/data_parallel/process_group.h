// What DataParallel needs of LibTorch's c10d, without its types: programs compile where there is none.
#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "training/data_parallel/process_layout.h"

namespace mtlprune {

class ProcessGroup {
  public:
    virtual ~ProcessGroup() = default;
    /// Of equal buffers on every rank, in place, in equal order; the same bits on every rank.
    virtual void sum(std::vector<torch::Tensor>& buffers) = 0;
    /// Those of rank 0 on every rank.
    virtual void broadcast(std::vector<torch::Tensor>& buffers) = 0;
};

/// Whether this program was built with c10d and Gloo.
bool has_process_groups();

/// Waits until all ranks are there. Throws Error without c10d. What LibTorch throws is not translated.
std::unique_ptr<ProcessGroup> open_process_group(const ProcessLayout& layout, torch::Device device);

}  // namespace mtlprune
