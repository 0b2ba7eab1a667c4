// GREG-1 and GREG-2 (Wang et al., Neural Pruning via Growing Regularization, ICLR 2021).
#pragma once

#include <memory>

#include "pruning/regularizers/regularizer.h"

namespace mtlprune {

struct GregOptions {
    bool picks_first = true;  ///< GREG-1; GREG-2 lets a decay of all filters grow before it picks
    int64_t every = 10;
    double delta = 1e-4, limit = 1.0, ratio = 1000.0;
    double pick_delta = 1e-5, pick_limit = 0.01, recover = 1e-4;
};

std::unique_ptr<Regularizer> make_greg(const GregOptions& options);

}  // namespace mtlprune
