#include "pruning/search/candidate_losses.h"

#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"

namespace mtlprune {
namespace {

using ChannelSets = std::vector<std::set<int64_t>>;

bool are_all_in(const std::vector<int64_t>& channels, const std::set<int64_t>& wanted) {
    return std::all_of(channels.begin(), channels.end(),
                       [&](int64_t channel) { return wanted.contains(channel); });
}

}  // namespace

CandidateLosses::CandidateLosses(const std::vector<Group>& groups, NamedTensors tensors,
                                 std::vector<Passes> batches)
    : groups_(groups),
      tensors_(std::move(tensors)),
      buffers_(buffers_with_weights(groups)),
      batches_(std::move(batches)) {
    if (batches_.empty()) throw Error("search", "data", "at least one mini-batch", "none");
    if (batches_.front().in_mode) mode_ = batches_.front().in_mode(/*training=*/false);
}

CandidateLosses::~CandidateLosses() {
    while (!zeroed_.empty()) restore_last();
}

std::vector<double> CandidateLosses::without(const std::vector<std::vector<int64_t>>& removed) {
    ChannelSets missing;
    for (const auto& channels : removed) missing.emplace_back(channels.begin(), channels.end());
    size_t kept = 0;
    for (; kept < zeroed_.size(); ++kept) {
        const auto& step = zeroed_[kept];
        if (!are_all_in(step.channels, missing.at(step.group))) break;
        for (const int64_t channel : step.channels) missing[step.group].erase(channel);
    }
    while (zeroed_.size() > kept) restore_last();
    for (size_t g = 0; g < missing.size(); ++g)
        if (!missing[g].empty()) zero(g, {missing[g].begin(), missing[g].end()});
    return losses();
}

/// Through data(): a graph that still needs a weight goes on with it, as its value comes back.
void CandidateLosses::zero(size_t group, const std::vector<int64_t>& channels) {
    const torch::NoGradGuard no_grad;
    std::vector<std::vector<int64_t>> removed(groups_.size());
    removed[group] = channels;
    const auto plan = make_plan(groups_, removed, EditKind::mask);
    Zeroed step{group, channels, {}};
    for (const auto& slices : slices_to_zero(tensors_, plan, buffers_)) {
        auto values = tensors_.at(slices.tensor).data();
        const auto indices = torch::tensor(slices.indices, torch::kLong).to(values.device());
        step.slices.push_back({values, indices, values.index_select(slices.dim, indices), slices.dim});
        values.index_fill_(slices.dim, indices, 0);
    }
    zeroed_.push_back(std::move(step));
}

void CandidateLosses::restore_last() {
    const torch::NoGradGuard no_grad;
    auto& slices = zeroed_.back().slices;
    for (auto saved = slices.rbegin(); saved != slices.rend(); ++saved)
        saved->tensor.index_copy_(saved->dim, saved->indices, saved->values);
    zeroed_.pop_back();
}

std::vector<double> CandidateLosses::losses() const {
    const c10::InferenceMode inference;
    torch::Tensor sum;
    int64_t samples = 0;
    for (const auto& batch : batches_) {
        const auto of_batch =
            torch::stack(batch.losses({0, batch.samples})).to(torch::kDouble) * batch.samples;
        sum = sum.defined() ? sum + of_batch : of_batch;
        samples += batch.samples;
    }
    const auto means = (sum / samples).to(torch::kCPU).contiguous();
    return {means.data_ptr<double>(), means.data_ptr<double>() + means.numel()};
}

}  // namespace mtlprune
