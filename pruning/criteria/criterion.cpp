#include "pruning/criteria/criterion.h"

#include <torch/utils.h>

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
    ENTRY(taylor_bn)             \
    ENTRY(taylor_weight)         \
    ENTRY(task_taylor)           \
    ENTRY(taylor_sample)         \
    ENTRY(taylor_output)         \
    ENTRY(snip)                  \
    ENTRY(apoz)                  \
    ENTRY(mean_activation)       \
    ENTRY(hrank)                 \
    ENTRY(thinet)                \
    ENTRY(channel_lasso)         \
    ENTRY(pfp)                   \
    ENTRY(obd_hessian)           \
    ENTRY(obd_c)                 \
    ENTRY(obd_hutchinson)        \
    ENTRY(taylor_second)         \
    ENTRY(synflow)               \
    ENTRY(grasp)                 \
    ENTRY(cosprune)              \
    ENTRY(safe_pruning)          \
    ENTRY(disparse)

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

std::vector<int64_t> indices_of(const Member& member, const torch::Tensor& channels) {
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < channels.numel(); ++i) {
        const auto own = member.channel(channels[i].item<int64_t>());
        indices.insert(indices.end(), own.begin(), own.end());
    }
    return indices;
}

Scores scores_without_data(const Criterion& criterion, const TracedGraph& graph,
                           const std::vector<Group>& groups, const StoredTensors& tensors) {
    const Evidence::Structure structure(graph, groups);
    std::vector<size_t> asked;
    for (size_t g = 0; g < groups.size(); ++g)
        if (!groups[g].frozen) asked.push_back(g);
    return criterion.scores(Evidence(structure, groups, asked, tensors));
}

Scores scores_of_asked(const Evidence& now, const std::vector<torch::Tensor>& per_asked) {
    Scores result;
    result.scores.assign(now.groups().size(), torch::empty({0}, torch::kDouble));
    for (size_t i = 0; i < now.asked().size(); ++i) result.scores[now.asked()[i]] = per_asked.at(i);
    return result;
}

void ScoreMean::add(const std::vector<torch::Tensor>& contributions) {
    if (sums_.empty())
        for (const auto& c : contributions)
            sums_.push_back(torch::zeros(c.sizes(), c.options().dtype(torch::kDouble)));
    for (size_t g = 0; g < sums_.size(); ++g) sums_[g].add_(contributions.at(g));
    ++count_;
}

Scores ScoreMean::mean(const std::string& criterion, const Evidence& now) const {
    return scores_of_asked(now, means(criterion));
}

std::vector<torch::Tensor> ScoreMean::means(const std::string& criterion) const {
    if (count_ == 0)
        throw Error("criterion " + criterion, "scores", "at least one observed mini-batch", "none");
    std::vector<torch::Tensor> means;
    means.reserve(sums_.size());
    for (const auto& sum : sums_) means.push_back(sum / static_cast<double>(count_));
    return means;
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
