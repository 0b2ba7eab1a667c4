// Writing a data set in the AdaShare layout of NYUv2.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "datasets/contract/sample.h"

namespace mtlprune {

struct AdaShareWriterOptions {
    int threads = 1;
    /// Called after each frame with the frames done and their total, by one thread at a time; may be empty.
    std::function<void(int64_t done, int64_t total)> progress;
};

/// Writes img/NNNN.png, seg/NNNN.png, normal_mask/NNNN.png (8-bit codes as in Sample, from vectors by
/// encode_normals()), depth/NNNN.npy (float32 metres, Fortran order) and, last, the list nyu_v2_3task.json =
/// {"train": [["img/..", "seg/..", "normal_mask/..", "depth/.."], ...], "test": ...}. Train frames come
/// first, test frames continue the numbering. An existing list is removed before the first frame is written,
/// so a list always belongs to a complete set of files. Throws Error naming the file and reason, or the frame
/// that lacks a segmentation, normals or depth label or has one of another size or type; no list exists then.
void write_adashare(const Dataset& train, const Dataset& test, const std::filesystem::path& folder,
                    const AdaShareWriterOptions& options = {});

}  // namespace mtlprune
