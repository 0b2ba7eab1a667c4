// What a network will take when its groups keep so many channels, before it is pruned.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/latency/table_cache.h"
#include "pruning/coupling/groups.h"

namespace mtlprune {

/// Seconds of a network that keeps `kept[g]` channels of every group.
using Predict = std::function<double(const std::vector<int64_t>& kept)>;

/// Convolutions by tables, everything else by the bytes of their results: layers * a + bytes * b, with a and
/// b from whole networks that were measured.
class NetworkLatency {
  public:
    struct Layer {
        LatencyTable table;
        AxisSize inputs, outputs;  ///< channels of the weight, by what the groups keep
        double bytes_per_output;   ///< of the result
    };
    explicit NetworkLatency(std::vector<Layer> layers) : layers_(std::move(layers)) {}

    /// Seconds of the convolutions alone, as the tables have them, and bytes of their results.
    double layers(const std::vector<int64_t>& kept) const;
    double bytes(const std::vector<int64_t>& kept) const;

    /// Least squares over networks whose seconds were measured, a and b not negative. Throws Error for none.
    void calibrate(const std::vector<std::pair<std::vector<int64_t>, double>>& measured);
    double predict(const std::vector<int64_t>& kept) const;

  private:
    std::vector<Layer> layers_;
    double per_layer_second_ = 1, per_byte_ = 0;
};

/// Tables of all convolutions of one group of channels; `on_progress` is told the share that is done.
/// Convolutions of several groups and transposed ones count among everything else.
NetworkLatency network_latency(const Coupling& coupling, const LatencySetting& setting,
                               const std::filesystem::path& folder,
                               const std::function<void(double)>& on_progress = {});

}  // namespace mtlprune
