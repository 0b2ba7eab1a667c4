#include "pruning/criteria/criterion.h"

#include "base/error.h"
#include "base/json_reader.h"
#include "pruning/criteria/cosprune.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune {

void ScoreMean::add(const std::vector<torch::Tensor>& contributions) {
    if (sums_.empty())
        for (const auto& c : contributions)
            sums_.push_back(torch::zeros(c.sizes(), c.options().dtype(torch::kDouble)));
    for (size_t g = 0; g < sums_.size(); ++g) sums_[g].add_(contributions.at(g));
    ++count_;
}

std::vector<torch::Tensor> ScoreMean::mean(const std::string& criterion) const {
    if (count_ == 0)
        throw Error("criterion " + criterion, "scores", "at least one observed mini-batch", "none");
    std::vector<torch::Tensor> result;
    result.reserve(sums_.size());
    for (const auto& sum : sums_) result.push_back(sum / static_cast<double>(count_));
    return result;
}

void ScoreMean::select(const std::vector<torch::Tensor>& kept) {
    for (size_t g = 0; g < kept.size() && g < sums_.size(); ++g)
        sums_[g] = sums_[g].index_select(0, kept[g].to(sums_[g].device()));
}

void ScoreMean::reset() {
    sums_.clear();
    count_ = 0;
}

void ScoreMean::save(std::map<std::string, torch::Tensor>& state) const {
    state["count"] = torch::tensor(count_);
    for (size_t g = 0; g < sums_.size(); ++g) state["sum." + std::to_string(g)] = sums_[g];
}

void ScoreMean::load(const std::map<std::string, torch::Tensor>& state) {
    reset();
    count_ = state.at("count").item<int64_t>();
    for (size_t g = 0; state.count("sum." + std::to_string(g)) > 0; ++g)
        sums_.push_back(state.at("sum." + std::to_string(g)).clone());
}

std::unique_ptr<Criterion> make_criterion(const std::string& name, Fidelity fidelity) {
    if (name == "taylor") return std::make_unique<TaylorCriterion>(TaylorOptions::of(fidelity));
    if (name == "cosprune") return std::make_unique<CosPruneCriterion>();
    std::vector<std::string> names;
    for (const auto& criterion : list_criteria()) names.push_back(criterion.name);
    throw Error("criterion", "name", "one of taylor, cosprune", "'" + name + "'" + did_you_mean(name, names));
}

std::vector<CriterionDescription> list_criteria() {
    return {
        {"taylor", "labels, gradients", "Molchanov et al., CVPR 2019 (gate form)", "corrected, as_released"},
        {"cosprune", "labels, per-task gradients", "Garg, Zhang, Guan, 2023",
         "corrected and as_released coincide"}};
}

}  // namespace mtlprune
