#include "datasets/inspect/dataset_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "datasets/pipeline/label_kind.h"
#include "datasets/pipeline/parallel_for.h"
#include "datasets/pipeline/transform.h"

namespace mtlprune {
namespace {

/// The transform of one task alone refuses labels of a wrong form.
void check_task(const Sample& sample, const TaskSpec& task, const Label& label) {
    TransformOptions options;
    options.height = options.width = 1;
    options.augmentation = Augmentation::none;
    transform_sample({sample.id, sample.image, {label}}, {task}, options, {});
    const auto check_values = label_kind(task.kind).check;
    if (check_values) check_values(label, task, sample.id + ": " + task.name);
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
    if (sample.labels.size() != tasks.size())
        return {Error("sample", sample.id, fmt::format("{} labels, one for each task", tasks.size()),
                      std::to_string(sample.labels.size()))};
    for (size_t t = 0; t < tasks.size(); ++t) try {
            check_task(sample, tasks[t], sample.labels[t]);
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
