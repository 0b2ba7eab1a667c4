// Another data set's frames at a smaller size, so that cheap runs work on whole scenes.
#pragma once

#include <memory>

#include "datasets/contract/sample.h"

namespace mtlprune {

class ResizedDataset : public Dataset {
  public:
    /// Everything becomes height x width: the image by area averaging, pixels of labels nearest.
    ResizedDataset(std::shared_ptr<const Dataset> source, int64_t height, int64_t width);
    int64_t size() const override { return source_->size(); }
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return source_->tasks(); }
    std::string description() const override;
    std::string id(int64_t index) const override { return source_->id(index); }
    std::vector<Error> problems(int64_t index) const override { return source_->problems(index); }
    Reading reading() const override { return source_->reading(); }
    std::vector<Error> contradictions() const override { return source_->contradictions(); }

  private:
    std::shared_ptr<const Dataset> source_;
    cv::Size size_;
};

}  // namespace mtlprune
