// Nothing at all, to see what the harness takes.
#pragma once

#include "bench/kit/latency.h"

namespace mtlprune {

struct NullSubject : Subject {
    void run() override {}
    std::vector<torch::Tensor> outputs() override { return {}; }
};

/// Of 100000 runs.
inline LatencySummary null_latencies() {
    NullSubject nothing;
    return summarise(
        measure_latencies({&nothing},
                          {.warm_up_runs = 1000, .warm_up_seconds = 0, .seconds = 0, .runs = 100000})
            .front());
}

}  // namespace mtlprune
