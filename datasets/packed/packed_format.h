// What reader and writer of packed files share (docs/datasets/packed.md describes the format).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

inline constexpr const char* kPackedFormat = "mtlprune packed 1";

/// How a modality is stored. `raw`: an array of all frames; `labels`: label_stream.h; `image_file`: PNG or
/// JPEG files; `from_depth`: not at all, fitted to depth on reading.
enum class PackedEncoding { raw, labels, image_file, from_depth };

struct PackedModality {
    std::string name;  ///< "image", "classes" or a name of packed_names()
    int type = 0;      ///< of OpenCV; CV_64FC1 stands for the int64 of "classes"
    PackedEncoding encoding = PackedEncoding::raw;
    int64_t task = -1;  ///< whose pixels these are; -1: of none, the image or all classes
};

/// Where the labels of each task are stored: its kind's name for the first of a kind ("depth"), "depth_2",
/// "depth_3" and so on for the others; "classes" for all tasks whose labels are classes of images.
std::vector<std::string> packed_names(const std::vector<TaskSpec>& tasks);

/// The tasks whose labels are pixels, in the order in which they are stored: by kind (label_kinds()), then as
/// in `tasks`.
std::vector<size_t> packed_order(const std::vector<TaskSpec>& tasks);

/// The first task of depth in metres, to which normals can be fitted.
std::optional<size_t> metric_depth(const std::vector<TaskSpec>& tasks);

/// The tasks whose labels are classes of images.
std::vector<size_t> classified_tasks(const std::vector<TaskSpec>& tasks);

std::string to_string(PackedEncoding encoding);
/// "uint8x3", "float32x1", ...
std::string packed_type_name(int type);

/// {"name", "type", "encoding"}.
nlohmann::json to_json(const PackedModality& modality);
/// Of a file with these tasks. Throws Error naming `place` for what to_json() does not write.
PackedModality packed_modality(const nlohmann::json& json, const std::vector<TaskSpec>& tasks,
                               const std::string& place);
/// {"name", "kind", "channels" and, where there are some, "class_weights"} of each task and back. A depth
/// task is inverse when it is called "inverse_depth", unless "inverse" says otherwise.
nlohmann::json to_json(const std::vector<TaskSpec>& tasks);
std::vector<TaskSpec> packed_tasks(const nlohmann::json& json, const std::string& place);

/// CRC-32 (of zlib) of a stored stream.
uint32_t packed_check_sum(const void* bytes, size_t length);
/// SHA-256 over the metadata, the table of check sums and the offsets of each modality that has some, in
/// stored order. It covers every byte of every frame through the check sums.
std::string packed_digest(const std::vector<uint8_t>& metadata, const std::vector<uint32_t>& check_sums,
                          const std::vector<std::vector<uint64_t>>& offsets);

}  // namespace mtlprune
