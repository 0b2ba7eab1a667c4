// The convolutions of a network, each to be timed by itself.
#pragma once

#include <string>
#include <vector>

#include "models/model.h"
#include "pruning/graph/traced_graph.h"

namespace mtlprune {

/// One call of a convolution, not a transposed one.
struct LayerShape {
    std::string name;                    ///< the module of its weight
    std::vector<int64_t> input, weight;  ///< [B,C,H,W], [O,C/groups,h,w]
    std::vector<int64_t> stride, padding, dilation;
    int64_t groups = 1;
    bool bias = false;
    int64_t macs = 0;
    size_t input_value = 0, weight_value = 0;  ///< of the graph

    /// Height times width of the result.
    int64_t output_pixels() const;
};

/// In the order of the forward pass.
std::vector<LayerShape> convolutions_of(const TracedGraph& graph);

/// A network of this layer alone, with random weights: what an engine can run.
ModelPtr layer_model(const LayerShape& layer);

}  // namespace mtlprune
