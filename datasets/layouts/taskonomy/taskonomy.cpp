#include "datasets/layouts/taskonomy/taskonomy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/codecs/image_file.h"
#include "datasets/layouts/frame_files.h"
#include "datasets/layouts/taskonomy/taskonomy_labels.h"
#include "datasets/layouts/taskonomy/taskonomy_splits.h"

namespace mtlprune {
namespace {

constexpr const char* kSubject = "Taskonomy";
constexpr double kLargestKeypoint = 0.005, kLargestEdge = 0.08;  // the AdaShare protocol's clipping

TaskSpec task_of(const std::string& modality) {
    if (modality == "segment_semantic")
        return {"segmentation", TaskKind::segmentation, 17, taskonomy_class_weights()};
    if (modality == "normal") return {"normals", TaskKind::normals, 3};
    if (modality == "keypoints2d") return {"keypoints", TaskKind::keypoints, 1};
    if (modality == "edge_texture") return {"edges", TaskKind::edges, 1};
    if (modality == "depth_zbuffer" || modality == "depth_euclidean") return {"depth", TaskKind::depth, 1};
    taskonomy_modality(modality);
    throw Error(kSubject, "tasks", "tasks to learn", "'" + modality + "'");
}

std::vector<TaskSpec> tasks_of(const std::vector<std::string>& modalities) {
    std::vector<TaskSpec> tasks;
    for (const std::string& modality : modalities) {
        const TaskSpec task = task_of(modality);
        if (std::find(tasks.begin(), tasks.end(), task) != tasks.end())
            throw Error(kSubject, "tasks", "each once, and one kind of depth", "another '" + modality + "'");
        tasks.push_back(task);
    }
    if (tasks.empty()) throw Error(kSubject, "tasks", "1 or more", "0");
    return tasks;
}

std::vector<std::string> files_of(const std::vector<std::string>& tasks) {
    std::vector<std::string> modalities = {"rgb"};
    modalities.insert(modalities.end(), tasks.begin(), tasks.end());
    const auto wanted = [&](const char* name) {
        return std::find(tasks.begin(), tasks.end(), name) != tasks.end();
    };
    if (wanted("normal") && !wanted("depth_zbuffer") && !wanted("depth_euclidean"))
        modalities.emplace_back("depth_zbuffer");
    return modalities;
}

std::filesystem::path find_split_file(const TaskonomyOptions& options) {
    if (!options.split_file.empty()) return options.split_file;
    const std::string names[] = {"taskonomy.json", fmt::format("train_val_test_{}.csv", options.partition),
                                 "splits_taskonomy.zip"};
    for (const std::string& name : names) {
        std::error_code ignored;
        if (std::filesystem::exists(options.folder / name, ignored)) return options.folder / name;
    }
    throw Error(kSubject, options.folder.string(),
                fmt::format("one of {}, {}, {} or a split_file (--set data.split_file=FILE)", names[0],
                            names[1], names[2]),
                "none");
}

}  // namespace

std::vector<std::string> taskonomy_modalities_of(const std::vector<std::string>& tasks,
                                                 const std::string& depth) {
    const std::vector<std::string> names = {"segmentation", "normals", "depth", "keypoints", "edges"};
    const std::vector<std::string> files = {"segment_semantic", "normal", depth, "keypoints2d",
                                            "edge_texture"};
    std::vector<std::string> chosen;
    for (const std::string& task : tasks.empty() ? names : tasks) {
        const auto found = std::find(names.begin(), names.end(), task);
        if (found == names.end())
            throw Error(kSubject, "tasks", fmt::format("one of {}", fmt::join(names, ", ")),
                        "'" + task + "'" + did_you_mean(task, names));
        chosen.push_back(files[found - names.begin()]);
    }
    return chosen;
}

Taskonomy::Taskonomy(TaskonomyOptions options)
    : options_(std::move(options)), modalities_(files_of(options_.tasks)), tasks_(tasks_of(options_.tasks)) {
    const auto file = find_split_file(options_);
    if (file.extension() == ".json") {
        source_ = "listed";
        frames_ = open_taskonomy_list(file, options_.split, modalities_);
    } else {
        source_ = options_.partition;
        frames_ = open_taskonomy_tree(options_.folder,
                                      taskonomy_buildings(file, options_.partition, options_.split),
                                      modalities_, options_.allow_incomplete);
    }
    positions_ = evenly_spaced(frames_->size(), options_.limit, kSubject,
                               options_.folder.string() + ": " + options_.split);
}

cv::Mat Taskonomy::read_label(size_t modality, int64_t position, const cv::Mat& image) const {
    const std::string& name = modalities_[modality];
    const auto file = frames_->file(position, modality);
    cv::Mat label;
    if (name == "segment_semantic")
        label = decode_taskonomy_classes(read_label_image(file), file.string());
    else if (name == "normal")
        label = decode_taskonomy_normals(read_colour_image(file));
    else if (name == "keypoints2d")
        label = decode_taskonomy_strength(read_grey16_image(file), kLargestKeypoint);
    else if (name == "edge_texture")
        label = decode_taskonomy_strength(read_grey16_image(file), kLargestEdge);
    else
        label = decode_taskonomy_depth(read_grey16_image(file));
    check_frame_size(label, file, image, frames_->file(position, 0));
    return label;
}

Sample Taskonomy::get(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error(kSubject, options_.split, fmt::format("a frame in 0..{}", size() - 1),
                    std::to_string(index));
    const int64_t position = positions_[index];
    Sample sample{id(index), read_colour_image(frames_->file(position, 0))};
    cv::Mat normals, depth;
    for (size_t modality = 1; modality < modalities_.size(); ++modality) {
        const cv::Mat pixels = read_label(modality, position, sample.image);
        if (modality <= tasks_.size()) sample.labels.push_back({pixels});
        if (modalities_[modality] == "normal") normals = pixels;
        if (modalities_[modality].starts_with("depth_")) depth = pixels;
    }
    if (!normals.empty()) normals.setTo(cv::Scalar::all(0), depth == 0.0f);  // shares the label's pixels
    return sample;
}

std::string Taskonomy::description() const {
    return fmt::format("Taskonomy ({}), split {}: {} frames of {}{}", source_, options_.split, size(),
                       size_text(read_colour_image(frames_->file(positions_[0], 0))), frames_->omissions());
}

}  // namespace mtlprune
