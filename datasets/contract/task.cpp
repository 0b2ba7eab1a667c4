#include "datasets/contract/task.h"

#include <utility>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

constexpr std::pair<TaskKind, const char*> kKindNames[] = {{TaskKind::segmentation, "segmentation"},
                                                           {TaskKind::normals, "normals"},
                                                           {TaskKind::depth, "depth"},
                                                           {TaskKind::keypoints, "keypoints"},
                                                           {TaskKind::edges, "edges"},
                                                           {TaskKind::classification, "classification"}};

}  // namespace

std::string to_string(TaskKind kind) {
    for (const auto& [known, name] : kKindNames)
        if (known == kind) return name;
    return "unknown";
}

TaskKind task_kind(const std::string& name, const std::string& place) {
    std::vector<std::string> names;
    for (const auto& [kind, known] : kKindNames) {
        if (known == name) return kind;
        names.emplace_back(known);
    }
    throw Error("task", place, "a kind of task", "'" + name + "'" + did_you_mean(name, names));
}

std::vector<TaskSpec> nyuv2_tasks(int64_t classes) {
    return {{"segmentation", TaskKind::segmentation, classes},
            {"normals", TaskKind::normals, 3},
            {"depth", TaskKind::depth, 1}};
}

TaskSpec inverse_depth_task() {
    return {"inverse_depth", TaskKind::depth, 1, {}, /*inverse=*/true};
}

std::optional<size_t> first_task(const std::vector<TaskSpec>& tasks, TaskKind kind) {
    for (size_t t = 0; t < tasks.size(); ++t)
        if (tasks[t].kind == kind) return t;
    return std::nullopt;
}

}  // namespace mtlprune
