// Writing data sets into one packed HDF5 file.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"
#include "datasets/pipeline/normals_from_depth.h"

namespace mtlprune {

/// How images are stored. Labels are always stored losslessly.
enum class PackedCodec {
    jpeg,  ///< re-encoded, with loss
    png,   ///< losslessly
    raw,   ///< arrays, labels too: the fastest to read, no image codec needed
    copy,  ///< the bytes of the source's own image files
};

/// "jpeg", "png", "raw", "copy"; throws Error naming the nearest for another word.
PackedCodec packed_codec(const std::string& name);
std::string to_string(PackedCodec codec);

/// Normals that are not stored but fitted to the stored depth whenever they are read.
struct NormalsFromDepth {
    CameraIntrinsics camera;  ///< at the stored size
    int radius = kNormalsRadius;
};

struct PackedSplit {
    std::string name;  ///< "train", "test", ...
    std::shared_ptr<const Dataset> frames;
};

struct PackedWriterOptions {
    PackedCodec codec = PackedCodec::jpeg;
    int jpeg_quality = 88;  ///< 1..100
    int64_t height = 0;     ///< resize to height x width (ResizedDataset); 0 = as they are
    int64_t width = 0;
    int64_t limit = 0;  ///< only this many frames of each split, evenly spaced; 0 = all
    int level = 9;      ///< deflate level of labels, 1 (fast) to 12 (small)
    std::optional<NormalsFromDepth> normals_from_depth;
    int threads = 1;
    /// Called after each frame with the frames done and their total, by one thread at a time; may be empty.
    std::function<void(int64_t done, int64_t total)> progress;
};

/// Writes `splits`, which have the same tasks, into the file `path` in the format of docs/datasets/packed.md.
/// The file appears when it is complete. The bytes do not depend on `threads`. Throws Error for options out
/// of range or that do not fit the source (copy with another size or without image files; raw with frames of
/// different sizes), frames with other modalities than the first, and a file that cannot be written.
void write_packed(const std::vector<PackedSplit>& splits, const std::filesystem::path& path,
                  const PackedWriterOptions& options = {});

}  // namespace mtlprune
