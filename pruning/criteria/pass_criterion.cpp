#include "pruning/criteria/pass_criterion.h"

#include <torch/utils.h>

#include "base/error.h"

namespace mtlprune {

Scores PassCriterion::scores(const Evidence& now) const {
    auto result = MeanCriterion::scores(now);
    if (normaliser_ == ScoreNormaliser::none) return result;
    for (const size_t g : now.asked()) {
        const auto host = result.scores[g].to(torch::kCPU).contiguous();
        const double* values = host.data_ptr<double>();
        result.scores[g] =
            torch::tensor(normalised({values, values + host.numel()}, normaliser_), torch::kDouble);
    }
    return result;
}

Error PassCriterion::nothing_of(const Evidence& batch, size_t asked, const std::string& expected) const {
    return {"criterion " + name(), "group " + batch.groups()[batch.asked()[asked]].name, expected, "none"};
}

void ReaderMeans::add(const LayerCall& call, const OfReader& of_reader) {
    for (const auto& [asked, member] : call.uses) {
        if (member->role != Role::input) continue;
        const auto values = of_reader(call, *member);
        if (!values.defined()) continue;
        sums_[asked] = sums_[asked].defined() ? sums_[asked] + values : values;
        ++counts_[asked];
    }
}

std::vector<torch::Tensor> ReaderMeans::means() const {
    auto means = sums_;
    for (size_t i = 0; i < means.size(); ++i)
        if (means[i].defined()) means[i] = means[i] / static_cast<double>(counts_[i]);
    return means;
}

}  // namespace mtlprune
