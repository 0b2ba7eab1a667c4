#include "datasets/inspect/dataset_statistics.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "datasets/pipeline/label_kind.h"
#include "datasets/pipeline/parallel_for.h"
#include "datasets/pipeline/transform.h"

namespace mtlprune {
namespace {

TaskStatistics empty_statistics(const TaskSpec& task) {
    const LabelKind& kind = label_kind(task.kind);
    TaskStatistics statistics;
    statistics.task = task;
    switch (kind.content) {
        case LabelContent::classes:
            statistics.class_counts.assign(static_cast<size_t>(task.channels), 0);
            statistics.class_frames.assign(static_cast<size_t>(task.channels), 0);
            break;
        case LabelContent::directions:
            statistics.directions.assign(kDirectionBins * kDirectionBins, 0);
            break;
        case LabelContent::values:
            statistics.values =
                Histogram(kind.range.low, kind.range.high, kind.range.bins, kind.range.logarithmic);
    }
    return statistics;
}

void add_classes(const int64_t* classes, const bool* valid, int64_t count, TaskStatistics& statistics) {
    for (int64_t i = 0; i < count; ++i)
        if (valid[i]) ++statistics.class_counts[static_cast<size_t>(classes[i])];
    for (size_t c = 0; c < statistics.class_counts.size(); ++c)
        statistics.class_frames[c] = statistics.class_counts[c] > 0;
}

size_t direction_bin(float component) {
    const auto bin = static_cast<int64_t>(std::floor((component + 1.0f) / 2.0f * kDirectionBins));
    return static_cast<size_t>(std::clamp<int64_t>(bin, 0, kDirectionBins - 1));
}

/// `normals` [3, count].
void add_normals(const float* normals, const bool* valid, int64_t count, TaskStatistics& statistics) {
    for (int64_t i = 0; i < count; ++i) {
        if (!valid[i]) continue;
        for (int64_t axis = 0; axis < 3; ++axis)
            statistics.axes[static_cast<size_t>(axis)].add(normals[axis * count + i]);
        ++statistics
              .directions[direction_bin(normals[count + i]) * kDirectionBins + direction_bin(normals[i])];
    }
}

void add_values(const float* values, const bool* valid, int64_t count, TaskStatistics& statistics) {
    for (int64_t i = 0; i < count; ++i) {
        if (!valid[i]) continue;
        statistics.values.add(values[i]);
        statistics.moments.add(values[i]);
    }
}

TaskStatistics task_statistics(const TaskSpec& task, const Target& target) {
    TaskStatistics statistics = empty_statistics(task);
    const bool* valid = target.mask.data_ptr<bool>();
    statistics.total = target.mask.numel();
    statistics.valid = std::count(valid, valid + statistics.total, true);
    switch (label_kind(task.kind).content) {
        case LabelContent::classes:
            add_classes(target.value.data_ptr<int64_t>(), valid, statistics.total, statistics);
            break;
        case LabelContent::directions:
            add_normals(target.value.data_ptr<float>(), valid, statistics.total, statistics);
            break;
        case LabelContent::values:
            add_values(target.value.data_ptr<float>(), valid, statistics.total, statistics);
    }
    return statistics;
}

/// Sums of 8-bit values are exact.
std::array<Moments, 3> image_moments(const cv::Mat& image) {
    std::array<Moments, 3> channels;
    for (int c = 0; c < 3; ++c) {
        int64_t sum = 0, squares = 0;
        for (int y = 0; y < image.rows; ++y) {
            const uint8_t* row = image.ptr<uint8_t>(y);
            for (int x = 0; x < image.cols; ++x) {
                const int64_t value = row[3 * x + 2 - c];  // BGR
                sum += value;
                squares += value * value;
            }
        }
        channels[static_cast<size_t>(c)] = {static_cast<double>(image.total()),
                                            static_cast<double>(sum) / 255.0,
                                            static_cast<double>(squares) / (255.0 * 255.0)};
    }
    return channels;
}

/// Classes are counted by index.
void require_known_classes(const Sample& sample, const TaskSpec& task, const Label& label) {
    const LabelKind& kind = label_kind(task.kind);
    if (kind.content == LabelContent::classes && kind.check)
        kind.check(label, task, sample.id + ": " + task.name);
}

/// The statistics of one frame, at its own size.
DatasetStatistics frame_statistics(const Sample& sample, const std::vector<TaskSpec>& tasks) {
    TransformOptions options;
    options.height = sample.image.rows;
    options.width = sample.image.cols;
    options.augmentation = Augmentation::none;
    const auto transformed = transform_sample(sample, tasks, options, {});
    DatasetStatistics statistics;
    statistics.frames = 1;
    statistics.sizes[{options.height, options.width}] = 1;
    statistics.channels = image_moments(sample.image);
    for (size_t t = 0; t < tasks.size(); ++t) {
        require_known_classes(sample, tasks[t], sample.labels[t]);
        statistics.tasks.push_back(task_statistics(tasks[t], transformed.targets[t]));
    }
    return statistics;
}

void add_counts(std::vector<int64_t>& to, const std::vector<int64_t>& from) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

void merge(TaskStatistics& to, const TaskStatistics& from) {
    to.total += from.total;
    to.valid += from.valid;
    add_counts(to.class_counts, from.class_counts);
    add_counts(to.class_frames, from.class_frames);
    add_counts(to.directions, from.directions);
    to.values.merge(from.values);
    to.moments.merge(from.moments);
    for (size_t axis = 0; axis < 3; ++axis) to.axes[axis].merge(from.axes[axis]);
}

void merge(DatasetStatistics& to, const DatasetStatistics& from) {
    to.frames += from.frames;
    for (const auto& [size, frames] : from.sizes) to.sizes[size] += frames;
    for (size_t c = 0; c < 3; ++c) to.channels[c].merge(from.channels[c]);
    for (size_t t = 0; t < to.tasks.size(); ++t) merge(to.tasks[t], from.tasks[t]);
}

/// Merges frames in their order, so that sums of floating-point numbers do not depend on threads. Frames that
/// come early wait: about one per thread.
class OrderedSum {
  public:
    explicit OrderedSum(DatasetStatistics& sum) : sum_(sum) {}
    void add(int64_t index, DatasetStatistics frame) {
        waiting_.emplace(index, std::move(frame));
        while (!waiting_.empty() && waiting_.begin()->first == sum_.frames) {
            merge(sum_, waiting_.begin()->second);
            waiting_.erase(waiting_.begin());
        }
    }

  private:
    DatasetStatistics& sum_;
    std::map<int64_t, DatasetStatistics> waiting_;
};

}  // namespace

void Moments::merge(const Moments& other) {
    count += other.count;
    sum += other.sum;
    squares += other.squares;
}

double Moments::deviation() const {
    return count == 0 ? std::nan("") : std::sqrt(std::max(0.0, squares / count - mean() * mean()));
}

DatasetStatistics dataset_statistics(const Dataset& dataset, const DatasetStatisticsOptions& options) {
    DatasetStatistics statistics;
    statistics.description = dataset.description();
    for (const auto& task : dataset.tasks()) statistics.tasks.push_back(empty_statistics(task));
    OrderedSum sum(statistics);
    std::mutex mutex;
    int64_t done = 0;
    parallel_for(dataset.size(), options.threads, [&](int64_t index) {
        auto frame = frame_statistics(dataset.get(index), dataset.tasks());
        const std::lock_guard lock(mutex);
        sum.add(index, std::move(frame));
        if (options.progress) options.progress(++done, dataset.size());
    });
    return statistics;
}

}  // namespace mtlprune
