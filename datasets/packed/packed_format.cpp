#include "datasets/packed/packed_format.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "datasets/pipeline/label_kind.h"

namespace mtlprune {
namespace {

constexpr PackedEncoding kEncodings[] = {PackedEncoding::raw, PackedEncoding::labels,
                                         PackedEncoding::image_file, PackedEncoding::from_depth};
constexpr int kTypes[] = {CV_8UC1, CV_8UC3, CV_32FC1, CV_32FC3, CV_64FC1};
constexpr const char* kClasses = "classes";

[[noreturn]] void reject(const std::string& place, const std::string& what, const nlohmann::json& found) {
    throw Error("packed file", place, what, found.dump().substr(0, 60));
}

std::string text(const nlohmann::json& object, const char* key, const std::string& place) {
    if (!object.is_object() || !object.contains(key) || !object[key].is_string())
        reject(place, fmt::format("an object with text under '{}'", key), object);
    return object[key].get<std::string>();
}

/// What files without "inverse" mean by a task's name.
bool named_inverse(TaskKind kind, const std::string& name) {
    return kind == TaskKind::depth && name == inverse_depth_task().name;
}

bool is_inverse(const nlohmann::json& task, TaskKind kind, const std::string& name,
                const std::string& place) {
    const auto found = task.find("inverse");
    if (found == task.end()) return named_inverse(kind, name);
    if (!found->is_boolean() || (found->get<bool>() && kind != TaskKind::depth))
        reject(place, "inverse: true or false, of depth", *found);
    return found->get<bool>();
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

std::vector<std::string> packed_names(const std::vector<TaskSpec>& tasks) {
    std::map<TaskKind, int> count;
    std::vector<std::string> names;
    for (const auto& task : tasks) {
        const LabelKind& kind = label_kind(task.kind);
        const int number = ++count[task.kind];
        names.push_back(kind.per_image ? kClasses
                        : number == 1  ? to_string(task.kind)
                                       : fmt::format("{}_{}", to_string(task.kind), number));
    }
    return names;
}

std::vector<size_t> packed_order(const std::vector<TaskSpec>& tasks) {
    std::vector<size_t> order;
    for (const auto& kind : label_kinds())
        for (size_t t = 0; t < tasks.size() && !kind.per_image; ++t)
            if (tasks[t].kind == kind.kind) order.push_back(t);
    return order;
}

std::optional<size_t> metric_depth(const std::vector<TaskSpec>& tasks) {
    for (size_t t = 0; t < tasks.size(); ++t)
        if (tasks[t].kind == TaskKind::depth && !tasks[t].inverse) return t;
    return std::nullopt;
}

std::vector<size_t> classified_tasks(const std::vector<TaskSpec>& tasks) {
    std::vector<size_t> classified;
    for (size_t t = 0; t < tasks.size(); ++t)
        if (label_kind(tasks[t].kind).per_image) classified.push_back(t);
    return classified;
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

PackedModality packed_modality(const nlohmann::json& json, const std::vector<TaskSpec>& tasks,
                               const std::string& place) {
    PackedModality modality;
    modality.name = text(json, "name", place);
    const bool is_classes = modality.name == kClasses, is_image = modality.name == "image";
    const auto names = packed_names(tasks);
    const auto named = std::find(names.begin(), names.end(), modality.name);
    if (!is_classes && named != names.end()) modality.task = named - names.begin();
    if (!is_classes && !is_image && modality.task < 0)
        reject(place, "the image or labels of a task", modality.name);
    const std::string type = text(json, "type", place), encoding = text(json, "encoding", place);
    modality.type = -1;
    for (const int candidate : kTypes)
        if (packed_type_name(candidate) == type) modality.type = candidate;
    if (modality.type < 0 || is_classes != (modality.type == CV_64FC1) ||
        (is_image && modality.type != CV_8UC3))
        reject(place, "a type that fits " + modality.name, type);
    for (const PackedEncoding candidate : kEncodings) {
        if (to_string(candidate) != encoding) continue;
        modality.encoding = candidate;
        const bool fits = candidate == PackedEncoding::raw ||
                          (candidate == PackedEncoding::image_file && is_image) ||
                          (candidate == PackedEncoding::labels && !is_image && !is_classes) ||
                          (candidate == PackedEncoding::from_depth && modality.task >= 0 &&
                           tasks[modality.task].kind == TaskKind::normals && modality.type == CV_8UC3);
        if (fits) return modality;
    }
    reject(place, "an encoding that fits " + modality.name, encoding);
}

nlohmann::json to_json(const std::vector<TaskSpec>& tasks) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& task : tasks) {
        list.push_back({{"name", task.name}, {"kind", to_string(task.kind)}, {"channels", task.channels}});
        if (!task.class_weights.empty()) list.back()["class_weights"] = task.class_weights;
        if (task.inverse != named_inverse(task.kind, task.name)) list.back()["inverse"] = task.inverse;
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
        const TaskKind kind = task_kind(text(task, "kind", place), where);
        tasks.push_back({name, kind, task["channels"].get<int64_t>(), class_weights(task, where),
                         is_inverse(task, kind, name, where)});
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
