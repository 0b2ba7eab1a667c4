#include "datasets/pipeline/task_subset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {

TaskSubset::TaskSubset(std::shared_ptr<const Dataset> source, const std::vector<std::string>& names)
    : source_(std::move(source)) {
    std::vector<std::string> known;
    for (const auto& task : source_->tasks()) known.push_back(task.name);
    for (const auto& name : names) {
        const auto found = std::find(known.begin(), known.end(), name);
        if (found == known.end())
            throw Error("data set", source_->description() + ": tasks",
                        fmt::format("one of {}", fmt::join(known, ", ")),
                        "'" + name + "'" + did_you_mean(name, known));
        positions_.push_back(static_cast<size_t>(found - known.begin()));
        tasks_.push_back(source_->tasks()[positions_.back()]);
    }
}

Sample TaskSubset::get(int64_t index) const {
    Sample sample = source_->get(index);
    std::vector<Label> labels;
    for (const size_t position : positions_) labels.push_back(sample.labels.at(position));
    sample.labels = std::move(labels);
    return sample;
}

std::string TaskSubset::description() const {
    std::vector<std::string> names;
    for (const auto& task : tasks_) names.push_back(task.name);
    return fmt::format("{}, tasks {}", source_->description(), fmt::join(names, " and "));
}

}  // namespace mtlprune
