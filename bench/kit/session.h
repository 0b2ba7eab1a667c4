// Subjects that are measured together and reported one by one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/kit/latency.h"

namespace mtlprune {

/// Google Benchmark runs one benchmark after the other; here the first one that is asked for measures all of
/// its session in turns, and the others read what it found. Every repetition measures again.
class Session {
  public:
    using Prepare = std::function<std::vector<std::unique_ptr<Subject>>()>;

    /// `prepare` makes the subjects, which live as long as a measurement; `what` stands beside the progress.
    Session(Prepare prepare, size_t subjects, LatencyOptions options, std::string what);

    /// Latencies of all subjects, of the repetition that this subject has not yet been asked for.
    const std::vector<Latencies>& next(size_t subject);

  private:
    Prepare prepare_;
    LatencyOptions options_;
    std::string what_;
    std::vector<size_t> asked_;  ///< by subject
    std::vector<std::vector<Latencies>> measured_;
};

}  // namespace mtlprune
