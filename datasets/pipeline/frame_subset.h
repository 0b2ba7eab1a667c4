// Some of another data set's frames, and which of them to hold out of training.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

class FrameSubset : public Dataset {
  public:
    /// Those of the source's frames in this order; `what` says for people which they are.
    FrameSubset(std::shared_ptr<const Dataset> source, std::vector<int64_t> frames, std::string what)
        : source_(std::move(source)), frames_(std::move(frames)), what_(std::move(what)) {}
    int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
    Sample get(int64_t index) const override { return source_->get(of_source(index)); }
    const std::vector<TaskSpec>& tasks() const override { return source_->tasks(); }
    std::string description() const override;
    std::string id(int64_t index) const override { return source_->id(of_source(index)); }
    std::vector<Error> problems(int64_t index) const override { return source_->problems(of_source(index)); }
    Reading reading() const override { return source_->reading(); }
    std::vector<Error> contradictions() const override { return source_->contradictions(); }

  private:
    int64_t of_source(int64_t index) const { return frames_.at(static_cast<size_t>(index)); }

    std::shared_ptr<const Dataset> source_;
    std::vector<int64_t> frames_;
    std::string what_;
};

/// A split of frame numbers 0..size-1, both parts ascending.
struct HeldOut {
    std::vector<int64_t> rest, held_out;
};

/// Holds out round(share * size) frames, at least one of each part: up to ten runs of neighbours, evenly
/// spaced, since neighbours often show the same room and would tell a network what it is tested on. Throws
/// Error for fewer than two frames.
HeldOut hold_out(int64_t size, double share);

}  // namespace mtlprune
