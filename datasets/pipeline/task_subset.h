// Another data set's frames with some of its tasks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

class TaskSubset : public Dataset {
  public:
    /// In the order of `names`. Throws Error naming the nearest when the data set has no such task.
    TaskSubset(std::shared_ptr<const Dataset> source, const std::vector<std::string>& names);
    int64_t size() const override { return source_->size(); }
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override;
    std::string id(int64_t index) const override { return source_->id(index); }
    std::vector<Error> problems(int64_t index) const override { return source_->problems(index); }
    Reading reading() const override { return source_->reading(); }
    std::vector<Error> contradictions() const override { return source_->contradictions(); }

  private:
    std::shared_ptr<const Dataset> source_;
    std::vector<TaskSpec> tasks_;
    std::vector<size_t> positions_;  ///< of each task in the source
};

}  // namespace mtlprune
