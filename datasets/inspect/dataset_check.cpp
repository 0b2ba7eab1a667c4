#include "datasets/inspect/dataset_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "datasets/contract/label_checks.h"
#include "datasets/pipeline/parallel_for.h"
#include "datasets/pipeline/transform.h"

namespace mtlprune {
namespace {

void check_unit_interval(const cv::Mat& values, const std::string& place) {
    double low = 0, high = 0;
    cv::minMaxLoc(values, &low, &high);
    if (!cv::checkRange(values) || low < 0 || high > 1)
        throw Error("labels", place, "values in 0..1", fmt::format("{}..{}", low, high));
}

/// Throws on values out of range; types and sizes were checked before.
void check_range(const Sample& sample, const TaskSpec& task) {
    const std::string place = sample.id + ": " + task.name;
    switch (task.kind) {
        case TaskKind::segmentation:
            return check_classes(sample.segmentation, task.channels, place);
        case TaskKind::depth:
            return check_depth(sample.depth, place);
        case TaskKind::keypoints:
            return check_unit_interval(sample.keypoints, place);
        case TaskKind::edges:
            return check_unit_interval(sample.edges, place);
        case TaskKind::normals:
        case TaskKind::classification:
            return;
    }
}

/// The transform of one task alone refuses whatever breaks the contract.
void check_task(const Sample& sample, const std::vector<TaskSpec>& tasks, size_t t) {
    Sample alone = sample;
    if (tasks[t].kind == TaskKind::classification) {
        const auto which =
            std::count_if(tasks.begin(), tasks.begin() + static_cast<int64_t>(t),
                          [](const TaskSpec& task) { return task.kind == TaskKind::classification; });
        const auto taken = std::min<size_t>(static_cast<size_t>(which), sample.classes.size());
        alone.classes.erase(alone.classes.begin(), alone.classes.begin() + static_cast<int64_t>(taken));
    }
    TransformOptions options;
    options.height = options.width = 1;
    options.augmentation = Augmentation::none;
    transform_sample(alone, {tasks[t]}, options, {});
    check_range(sample, tasks[t]);
}

std::vector<Error> frame_problems(const Dataset& dataset, int64_t index) {
    std::optional<Sample> sample;
    try {
        sample = dataset.get(index);
    } catch (const std::exception&) {
        return dataset.problems(index);
    }
    return sample_problems(*sample, dataset.tasks());
}

}  // namespace

std::vector<Error> sample_problems(const Sample& sample, const std::vector<TaskSpec>& tasks) {
    std::vector<Error> found;
    for (size_t t = 0; t < tasks.size(); ++t) try {
            check_task(sample, tasks, t);
        } catch (const Error& error) {
            found.push_back(error);
        }
    return found;
}

std::vector<FrameProblem> check_dataset(const Dataset& dataset, const DatasetCheckOptions& options) {
    std::vector<FrameProblem> all;
    std::mutex mutex;
    int64_t done = 0;
    parallel_for(dataset.size(), options.threads, [&](int64_t index) {
        const auto found = frame_problems(dataset, index);
        const std::lock_guard lock(mutex);
        for (const auto& error : found)
            all.push_back({index, dataset.id(index), error.place(), error.problem()});
        if (options.progress) options.progress(++done, dataset.size());
    });
    std::stable_sort(all.begin(), all.end(),
                     [](const FrameProblem& a, const FrameProblem& b) { return a.index < b.index; });
    return all;
}

}  // namespace mtlprune
