#include "pruning/criteria/pass_criterion.h"

#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {

Scores PassCriterion::scores(const Evidence& now) const {
    auto result = mean_.mean(key_, now);
    if (normaliser_ == ScoreNormaliser::none) return result;
    for (const size_t g : now.asked()) {
        const auto host = result.scores[g].to(torch::kCPU).contiguous();
        const double* values = host.data_ptr<double>();
        const auto divided = normalised({values, values + host.numel()}, normaliser_);
        result.scores[g] = torch::tensor(divided, torch::kDouble);
    }
    return result;
}

void PassCriterion::after_event(const std::vector<torch::Tensor>& kept) {
    mean_.reset();
    mean_.select(kept);
}

std::map<std::string, torch::Tensor> PassCriterion::state() const {
    std::map<std::string, torch::Tensor> state;
    mean_.save(state);
    return state;
}

Error PassCriterion::nothing_of(const Evidence& batch, size_t asked, const std::string& expected) const {
    return {"criterion " + key_, "group " + batch.groups()[batch.asked()[asked]].name, expected, "none"};
}

void GroupMeans::add(size_t group, const torch::Tensor& values) {
    sums_[group] = sums_[group].defined() ? sums_[group] + values : values;
    ++counts_[group];
}

torch::Tensor slice_sums(const Member& member, const torch::Tensor& values) {
    const auto rows = Evidence::rows(member, values);
    return rows.dim() > 1 ? rows.flatten(1).sum(1, false, torch::kDouble) : rows.to(torch::kDouble);
}

}  // namespace mtlprune
