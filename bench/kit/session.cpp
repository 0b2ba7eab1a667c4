#include "bench/kit/session.h"

#include "base/progress.h"

namespace mtlprune {

Session::Session(Prepare prepare, size_t subjects, LatencyOptions options, std::string what)
    : prepare_(std::move(prepare)), options_(options), what_(std::move(what)), asked_(subjects, 0) {}

const std::vector<Latencies>& Session::next(size_t subject) {
    const size_t repetition = asked_.at(subject)++;
    while (measured_.size() <= repetition) {
        const auto subjects = prepare_();
        std::vector<Subject*> all;
        for (const auto& one : subjects) all.push_back(one.get());
        auto options = options_;
        options.seed += measured_.size();
        Progress progress;
        measured_.push_back(
            measure_latencies(all, options, [&](double done) { progress.update({done}, what_); }));
    }
    return measured_[repetition];
}

}  // namespace mtlprune
