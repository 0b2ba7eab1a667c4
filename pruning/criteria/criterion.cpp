#include "pruning/criteria/criterion.h"

#include "base/error.h"

// One line per criterion; `name` is defined in a file of its own as `Registry<Criterion>::Entry
// name_criterion()`.
#define MTLPRUNE_CRITERIA(ENTRY) \
    ENTRY(random)                \
    ENTRY(l1)                    \
    ENTRY(l2)                    \
    ENTRY(bn_scale)              \
    ENTRY(lamp)                  \
    ENTRY(fpgm)                  \
    ENTRY(taylor)                \
    ENTRY(apoz)                  \
    ENTRY(mean_activation)       \
    ENTRY(hrank)                 \
    ENTRY(obd_hessian)           \
    ENTRY(obd_c)                 \
    ENTRY(synflow)               \
    ENTRY(grasp)                 \
    ENTRY(cosprune)

namespace mtlprune {

#define MTLPRUNE_DECLARE(name) Registry<Criterion>::Entry name##_criterion();
MTLPRUNE_CRITERIA(MTLPRUNE_DECLARE)
#undef MTLPRUNE_DECLARE

Registry<Criterion>& criteria() {
    static Registry<Criterion> all = [] {
        Registry<Criterion> registry("criterion");
#define MTLPRUNE_ADD(name) registry.add(name##_criterion());
        MTLPRUNE_CRITERIA(MTLPRUNE_ADD)
#undef MTLPRUNE_ADD
        return registry;
    }();
    return all;
}

Scores scores_without_data(const Criterion& criterion, const TracedGraph& graph,
                           const std::vector<Group>& groups, const StoredTensors& tensors) {
    const Evidence::Structure structure(graph, groups);
    std::vector<size_t> asked;
    for (size_t g = 0; g < groups.size(); ++g)
        if (!groups[g].frozen) asked.push_back(g);
    return criterion.scores(Evidence(structure, groups, asked, tensors));
}

void ScoreMean::add(const std::vector<torch::Tensor>& contributions) {
    if (sums_.empty())
        for (const auto& c : contributions)
            sums_.push_back(torch::zeros(c.sizes(), c.options().dtype(torch::kDouble)));
    for (size_t g = 0; g < sums_.size(); ++g) sums_[g].add_(contributions.at(g));
    ++count_;
}

Scores ScoreMean::mean(const std::string& criterion, const Evidence& now) const {
    if (count_ == 0)
        throw Error("criterion " + criterion, "scores", "at least one observed mini-batch", "none");
    Scores result;
    result.scores.assign(now.groups().size(), torch::empty({0}, torch::kDouble));
    for (size_t i = 0; i < now.asked().size(); ++i)
        result.scores[now.asked()[i]] = sums_.at(i) / static_cast<double>(count_);
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

}  // namespace mtlprune
