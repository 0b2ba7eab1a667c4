// Tensors, batches and the model of the golden folder, in this project's conventions.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "datasets/contract/batch.h"
#include "datasets/contract/task.h"
#include "models/weights/released_weights.h"
#include "tests/golden_folder.h"
#include "tests/paper_network.h"
#include "training/checkpoint.h"

namespace mtlprune {

/// A tensor file of the golden folder, e.g. golden_pt("golden_b0.pt").
inline TensorMap golden_pt(const std::string& name) {
    return load_pickle(golden_dir() / name);
}

/// The released names of our three tasks, in order.
inline const std::vector<std::string>& golden_tasks() {
    static const std::vector<std::string> names = {"segment_semantic", "normal", "depth_zbuffer"};
    return names;
}

/// Targets from the released codes: segmentation uint8 [B,1,H,W] and normals uint8 [B,3,H,W] (255 = ignore),
/// depth float [B,1,H,W] in metres (<= 3e-5 = missing). Normals stay un-decoded codes, as in the released
/// code.
inline std::vector<Target> golden_targets(const torch::Tensor& segmentation, const torch::Tensor& normals,
                                          const torch::Tensor& depth) {
    const auto labels = segmentation.to(torch::kInt64);
    const auto codes = normals.to(torch::kFloat32);
    return {{labels.squeeze(1), labels != 255},
            {codes, codes.amax(1, /*keepdim=*/true) < 255},
            {depth, depth > 3e-5}};
}

/// Batch k = 0..5 of batches.pt: two images of 97x97.
inline Batch golden_batch(int k) {
    static const TensorMap tensors = golden_pt("batches.pt");
    const std::string prefix = fmt::format("b{}.", k);
    const auto& tasks = golden_tasks();
    return {tensors.at(prefix + "input"),
            golden_targets(tensors.at(prefix + tasks[0]), tensors.at(prefix + tasks[1]),
                           tensors.at(prefix + tasks[2])),
            {2 * k, 2 * k + 1}};
}

/// The golden network with the weights of state_dict.pt, in evaluation mode (no dropout). The released code
/// ran the library's kernels on contiguous maps; others, and the library's on other processors, round
/// differently, and single-precision gradients behind a near-tie of the max-pooling then differ by more than
/// rounding: compare those as float32_allowance.h does.
inline PaperModel golden_model(ConvolutionKernels kernels = ConvolutionKernels::library) {
    const auto model = released_network(golden_pt("state_dict.pt")).model;
    use_kernels(*model, kernels);
    model->eval();
    return model;
}

}  // namespace mtlprune
