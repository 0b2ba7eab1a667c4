// What a batch is.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace mtlprune {

/// One task's labels of a batch. Where `mask` is false the target has no meaning.
struct Target {
    torch::Tensor value;  ///< segmentation: int64 [B,H,W]; normals: float32 [B,3,H,W]; classification: int64
                          ///< [B]; others: float32 [B,1,H,W]
    torch::Tensor mask;   ///< bool [B,1,H,W]; classification: bool [B]
};

struct Batch {
    torch::Tensor image;           ///< float32 [B,3,H,W]
    std::vector<Target> targets;   ///< in the order of the data set's tasks
    std::vector<int64_t> indices;  ///< which samples, in order
    /// Where several processes have parts of one mini-batch: the number of this part's samples by their mean
    /// number per part. 0: samples that are here only so that the part is not empty.
    double weight = 1.0;
    int64_t size() const { return image.size(0); }
    Batch to(torch::Device device) const;
};

}  // namespace mtlprune
