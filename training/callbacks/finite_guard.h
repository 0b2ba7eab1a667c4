// Stops a training whose losses or gradients are not finite, and keeps what led to it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "training/callback.h"

namespace mtlprune {

/// Looks at the flags of all iterations once every `every` iterations: between, they are computed and left
/// on the device, so that nothing waits for it, and the mini-batches are held. On the first that is not
/// finite it writes `not_finite_batch.pt` (of every mini-batch of that iteration, numbered: image,
/// target.<task>, mask.<task>, indices) and `not_finite_model.pt` (module_state() as it is now: with
/// every = 1 that before the step) into the folder and throws Error naming iteration and task. All ranks of a
/// data-parallel training stop; every one but the first writes its own `not_finite_batch_rank<r>.pt`.
class FiniteGuard : public Callback {
  public:
    FiniteGuard(std::filesystem::path folder, int64_t every, int64_t rank = 0);
    std::string name() const override { return "finite_guard"; }
    void after_gradients(TrainingStep& step) override;

  private:
    struct Seen {
        int64_t iteration;
        std::vector<Batch> batches;
        torch::Tensor finite;  ///< bool [2T + 1]: losses, tasks' own gradients, shared gradients
    };
    void check(TrainingStep& step);
    [[noreturn]] void report(TrainingStep& step, const Seen& seen, const std::string& found) const;

    std::filesystem::path folder_;
    int64_t every_;
    int64_t rank_;
    std::vector<Seen> seen_;
};

}  // namespace mtlprune
