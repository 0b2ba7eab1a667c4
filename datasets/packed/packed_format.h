// What reader and writer of packed files share (docs/datasets/packed.md describes the format).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

inline constexpr const char* kPackedFormat = "mtlprune packed 1";

/// How a modality is stored. `raw`: an array of all frames; `labels`: label_stream.h; `image_file`: PNG or
/// JPEG files; `from_depth`: not at all, fitted to depth on reading.
enum class PackedEncoding { raw, labels, image_file, from_depth };

struct PackedModality {
    std::string name;  ///< "image", "segmentation", "normals", "depth", "keypoints", "edges" or "classes"
    int type = 0;      ///< of OpenCV; CV_64FC1 stands for the int64 of "classes"
    PackedEncoding encoding = PackedEncoding::raw;
};

/// The modalities that are images, in their stored order, with the member of Sample that holds them.
struct SampleMember {
    const char* name;
    cv::Mat Sample::*pixels;
};
const std::vector<SampleMember>& packed_members();

std::string to_string(PackedEncoding encoding);
/// "uint8x3", "float32x1", ...
std::string packed_type_name(int type);

/// {"name", "type", "encoding"}.
nlohmann::json to_json(const PackedModality& modality);
/// Throws Error naming `place` for what to_json() does not write.
PackedModality packed_modality(const nlohmann::json& json, const std::string& place);
/// {"name", "kind", "channels" and, where there are some, "class_weights"} of each task and back.
nlohmann::json to_json(const std::vector<TaskSpec>& tasks);
std::vector<TaskSpec> packed_tasks(const nlohmann::json& json, const std::string& place);

/// CRC-32 (of zlib) of a stored stream.
uint32_t packed_check_sum(const void* bytes, size_t length);
/// SHA-256 over the metadata, the table of check sums and the offsets of each modality that has some, in
/// stored order. It covers every byte of every frame through the check sums.
std::string packed_digest(const std::vector<uint8_t>& metadata, const std::vector<uint32_t>& check_sums,
                          const std::vector<std::vector<uint64_t>>& offsets);

}  // namespace mtlprune
