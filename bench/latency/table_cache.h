// Latency tables of layers, measured once per machine and kept.
#pragma once

#include <filesystem>
#include <string>

#include "bench/latency/latency_table.h"

namespace mtlprune {

/// What the tables are of, besides the layers.
struct LatencySetting {
    std::string engine;  ///< "torchscript" or "torchscript:layout=channels_last"
    int threads = 1;
    int64_t batch = 1;
};

/// The table of this layer (whose batch is the setting's) on this machine: from `folder` if it is there, else
/// measured with LibTorch's threads as set, made monotone and written. Files are named by a hash of the layer
/// without its channels' numbers, the setting, processor, LibTorch and the version of this form; another or
/// damaged one is measured again.
LatencyTable table_of(const LayerShape& layer, const LatencySetting& setting,
                      const std::filesystem::path& folder,
                      const std::function<void(double)>& on_progress = {});

/// Seconds of a layer on an engine: the median of a few runs.
double layer_seconds(const LayerShape& layer, const LatencySetting& setting);

/// $MTLPRUNE_CACHE/latency, or the user's cache folder's.
std::filesystem::path latency_folder();

}  // namespace mtlprune
