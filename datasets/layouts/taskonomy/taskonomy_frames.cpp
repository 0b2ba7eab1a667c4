#include "datasets/layouts/taskonomy/taskonomy_frames.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

constexpr size_t kNoColumn = SIZE_MAX;

const std::vector<TaskonomyModality>& modalities() {
    static const std::vector<TaskonomyModality> table = {
        {"rgb", {"rgb"}, {"rgb"}, 0},
        {"segment_semantic",
         {"segment_semantic", "segmentsemantic"},
         {"segmentsemantic", "segment_semantic"},
         1},
        {"normal", {"normal"}, {"normal"}, 2},
        {"depth_zbuffer", {"depth_zbuffer"}, {"depth_zbuffer"}, 3},
        {"keypoints2d", {"keypoints2d"}, {"keypoints2d"}, 4},
        {"edge_texture", {"edge_texture"}, {"edge_texture"}, 5},
        {"depth_euclidean", {"depth_euclidean"}, {"depth_euclidean"}, kNoColumn}};
    return table;
}

}  // namespace

const TaskonomyModality& taskonomy_modality(const std::string& name) {
    std::vector<std::string> names;
    for (const TaskonomyModality& modality : modalities()) {
        if (modality.name == name) return modality;
        names.push_back(modality.name);
    }
    throw Error("Taskonomy", "task", "one of its tasks", "'" + name + "'" + did_you_mean(name, names));
}

}  // namespace mtlprune
