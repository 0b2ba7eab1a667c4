// Several processes that train one network, each on its part of every mini-batch.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "training/data_parallel/process_layout.h"

namespace mtlprune {

class ProcessGroup;

/// What the processes (ranks) tell each other, through LibTorch's c10d: Gloo on the CPU, NCCL on CUDA where
/// the build has it, else Gloo too. Every rank calls the same functions in the same order; each waits for
/// all. All throw Error when another rank has ended or does not answer.
class DataParallel {
  public:
    /// Whether this program was built with it.
    static bool available();

    /// Waits (at most 5 minutes) until all ranks are there. `device`: of the tensors. Throws Error in a build
    /// without c10d.
    DataParallel(const ProcessLayout& layout, torch::Device device);
    ~DataParallel();
    DataParallel(const DataParallel&) = delete;
    DataParallel& operator=(const DataParallel&) = delete;

    int64_t rank() const { return layout_.rank; }
    int64_t ranks() const { return layout_.ranks; }
    bool first() const { return layout_.first(); }

    /// Replaces each tensor by the sum of all ranks', the same bits on every rank. Numbers, types and shapes
    /// must agree between ranks.
    void sum(std::vector<torch::Tensor>& tensors);
    /// Gives each tensor the values that it has on the first rank, in place.
    void broadcast(const std::vector<torch::Tensor>& tensors);
    /// The first rank's value.
    int64_t of_first(int64_t value);
    /// Throws Error on ranks whose value is not the first rank's: "<what>: expected ..., found ...".
    void require_equal(const std::string& what, int64_t value);
    /// Returns when all ranks are here.
    void barrier();

  private:
    template <typename Call>
    void guarded(const Call& call);
    std::string place() const;

    ProcessLayout layout_;
    std::unique_ptr<ProcessGroup> group_;
};

}  // namespace mtlprune
