#include "datasets/packed/packed_format.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"

namespace mtlprune {
namespace {

constexpr PackedEncoding kEncodings[] = {PackedEncoding::raw, PackedEncoding::labels,
                                         PackedEncoding::image_file, PackedEncoding::from_depth};
constexpr int kTypes[] = {CV_8UC1, CV_8UC3, CV_32FC1, CV_32FC3, CV_64FC1};
constexpr TaskKind kLastKind = TaskKind::classification;

[[noreturn]] void reject(const std::string& place, const std::string& what, const nlohmann::json& found) {
    throw Error("packed file", place, what, found.dump().substr(0, 60));
}

std::string text(const nlohmann::json& object, const char* key, const std::string& place) {
    if (!object.is_object() || !object.contains(key) || !object[key].is_string())
        reject(place, fmt::format("an object with text under '{}'", key), object);
    return object[key].get<std::string>();
}

TaskKind task_kind(const std::string& name, const std::string& place) {
    for (int kind = 0; kind <= static_cast<int>(kLastKind); ++kind)
        if (to_string(static_cast<TaskKind>(kind)) == name) return static_cast<TaskKind>(kind);
    reject(place, "a kind of task", name);
}

/// As many positive numbers as the task has channels, or none at all.
std::vector<double> class_weights(const nlohmann::json& task, const std::string& place) {
    const auto found = task.find("class_weights");
    if (found == task.end()) return {};
    const bool fits = found->is_array() && found->size() == task["channels"].get<size_t>() &&
                      std::all_of(found->begin(), found->end(), [](const nlohmann::json& weight) {
                          return weight.is_number() && weight.get<double>() > 0;
                      });
    if (!fits) reject(place, "a positive class weight for each channel", *found);
    return found->get<std::vector<double>>();
}

template <typename T>
void append(const std::vector<T>& values, std::string& bytes) {
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace

const std::vector<SampleMember>& packed_members() {
    static const std::vector<SampleMember> members = {
        {"image", &Sample::image}, {"segmentation", &Sample::segmentation}, {"normals", &Sample::normals},
        {"depth", &Sample::depth}, {"keypoints", &Sample::keypoints},       {"edges", &Sample::edges}};
    return members;
}

std::string to_string(PackedEncoding encoding) {
    switch (encoding) {
        case PackedEncoding::raw:
            return "raw";
        case PackedEncoding::labels:
            return "labels";
        case PackedEncoding::image_file:
            return "image_file";
        case PackedEncoding::from_depth:
            return "from_depth";
    }
    return "unknown";
}

std::string packed_type_name(int type) {
    if (type == CV_64FC1) return "int64";
    return fmt::format("{}x{}", CV_MAT_DEPTH(type) == CV_8U ? "uint8" : "float32", CV_MAT_CN(type));
}

nlohmann::json to_json(const PackedModality& modality) {
    return {{"name", modality.name},
            {"type", packed_type_name(modality.type)},
            {"encoding", to_string(modality.encoding)}};
}

PackedModality packed_modality(const nlohmann::json& json, const std::string& place) {
    PackedModality modality;
    modality.name = text(json, "name", place);
    bool known = modality.name == "classes";
    for (const auto& member : packed_members()) known = known || member.name == modality.name;
    if (!known) reject(place, "the name of a modality", modality.name);
    const std::string type = text(json, "type", place), encoding = text(json, "encoding", place);
    modality.type = -1;
    for (const int candidate : kTypes)
        if (packed_type_name(candidate) == type) modality.type = candidate;
    const bool is_classes = modality.name == "classes", is_image = modality.name == "image";
    if (modality.type < 0 || is_classes != (modality.type == CV_64FC1) ||
        (is_image && modality.type != CV_8UC3))
        reject(place, "a type that fits " + modality.name, type);
    for (const PackedEncoding candidate : kEncodings) {
        if (to_string(candidate) != encoding) continue;
        modality.encoding = candidate;
        const bool fits = candidate == PackedEncoding::raw ||
                          (candidate == PackedEncoding::image_file && is_image) ||
                          (candidate == PackedEncoding::labels && !is_image && !is_classes) ||
                          (candidate == PackedEncoding::from_depth && modality.name == "normals" &&
                           modality.type == CV_8UC3);
        if (fits) return modality;
    }
    reject(place, "an encoding that fits " + modality.name, encoding);
}

nlohmann::json to_json(const std::vector<TaskSpec>& tasks) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& task : tasks) {
        list.push_back({{"name", task.name}, {"kind", to_string(task.kind)}, {"channels", task.channels}});
        if (!task.class_weights.empty()) list.back()["class_weights"] = task.class_weights;
    }
    return list;
}

std::vector<TaskSpec> packed_tasks(const nlohmann::json& json, const std::string& place) {
    if (!json.is_array() || json.empty()) reject(place, "a list of tasks", json);
    std::vector<TaskSpec> tasks;
    for (const auto& task : json) {
        const std::string name = text(task, "name", place);
        const std::string where = fmt::format("{}: {}", place, name);
        if (!task.contains("channels") || !task["channels"].is_number_integer() || task["channels"] < 1 ||
            task["channels"] > 65536)
            reject(where, "channels in 1..65536", task);
        tasks.push_back({name, task_kind(text(task, "kind", place), place), task["channels"].get<int64_t>(),
                         class_weights(task, where)});
    }
    return tasks;
}

uint32_t packed_check_sum(const void* bytes, size_t length) {
    return libdeflate_crc32(0, bytes, length);
}

std::string packed_digest(const std::vector<uint8_t>& metadata, const std::vector<uint32_t>& check_sums,
                          const std::vector<std::vector<uint64_t>>& offsets) {
    std::string bytes;
    append(metadata, bytes);
    append(check_sums, bytes);
    for (const auto& table : offsets) append(table, bytes);
    return sha256_hex(bytes);
}

}  // namespace mtlprune
