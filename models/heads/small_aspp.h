// Atrous spatial pyramid pooling (Chen et al., DeepLab, TPAMI 2017), without an image-level branch; with
// small rates SmallASPP, the main paper's head.
#pragma once

#include "models/heads/head.h"
#include "models/layers/conv2d.h"
#include "models/layers/dropout.h"

namespace mtlprune {

/// conv3x3 (dilated) - ReLU - dropout - conv1x1 - ReLU - dropout - conv1x1
struct SmallAsppBranchImpl : torch::nn::Module {
    SmallAsppBranchImpl(int64_t in_channels, int64_t hidden, int64_t out_channels, int64_t rate,
                        double dropout);
    torch::Tensor forward(const torch::Tensor& features);
    Conv2d conv1, conv2, conv3;
    Dropout dropout1, dropout2;
};
TORCH_MODULE(SmallAsppBranch);

/// The sum of branches on the last map.
struct SmallAspp : Head {
    /// One branch for each rate. Throws Error unless there is one, `hidden` and all rates are at least 1 and
    /// dropout is in [0, 1).
    SmallAspp(int64_t in_channels, int64_t hidden, int64_t out_channels, double dropout,
              const std::vector<int64_t>& rates = {1, 2, 4, 6});
    torch::Tensor forward(const FeatureMaps& features) override;
    std::vector<SmallAsppBranch> branches;
};

}  // namespace mtlprune
