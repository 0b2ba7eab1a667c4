#include "pruning/allocation/removal_order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "base/error.h"

namespace mtlprune {
namespace {

bool keeps_all(const GroupLimit& limit) {
    return limit.floor >= limit.channels;
}

torch::Tensor checked_scores(const Group& group, const torch::Tensor& scores) {
    const bool fits = scores.defined() && scores.dim() == 1 && scores.numel() == group.channels;
    if (!fits)
        throw Error("allocation", "scores of group " + group.name, fmt::format("{} of them", group.channels),
                    scores.defined() ? std::to_string(scores.numel()) : "none");
    const auto values = scores.detach().to(torch::kCPU, torch::kFloat64).contiguous();
    for (int64_t c = 0; c < group.channels; ++c)
        if (std::isnan(values.data_ptr<double>()[c]))
            throw Error("allocation", fmt::format("group {} channel {}", group.name, c), "a number as score",
                        "NaN");
    return values;
}

const char* role_name(Role role) {
    if (role == Role::output) return "out";
    return role == Role::input ? "in" : "own";
}

std::string pattern_of(const Group& group) {
    std::string pattern;
    for (const auto& member : group.members)
        pattern +=
            fmt::format("{}.{}.{}.{} ", member.op, member.argument, role_name(member.role), member.dim);
    return pattern;
}

std::string outputs_of(const Group& group) {
    return fmt::format("channels of outputs {}", fmt::join(group.outputs, ", "));
}

std::string scope_key(const Group& group, size_t number, RankingScope kind) {
    switch (kind) {
        case RankingScope::local:
            return fmt::format("#{}", number);
        case RankingScope::isomorphic:
            return pattern_of(group);
        case RankingScope::owner:
            return outputs_of(group);
        case RankingScope::global:
            break;
    }
    return "all";
}

std::string scope_name(const Scope& scope, const std::vector<Group>& groups, RankingScope kind) {
    const auto& first = groups[scope.groups.front()];
    if (scope.groups.size() == 1) return "group " + first.name;
    if (kind == RankingScope::owner) return outputs_of(first);
    return fmt::format("{} and {} more groups", first.name, scope.groups.size() - 1);
}

/// Ties by group, then by index. The best channels of a group, which never leave, are not ranked.
void rank(Scope& scope, const std::vector<torch::Tensor>& scores,
          const std::vector<std::vector<int64_t>>& ranked, const std::vector<GroupLimit>& limits) {
    std::vector<std::tuple<double, size_t, int64_t>> candidates;
    for (const size_t g : scope.groups) {
        if (keeps_all(limits[g])) continue;
        const auto values = scores[g].detach().to(torch::kCPU, torch::kFloat64).contiguous();
        for (int64_t i = 0; i < limits[g].channels - limits[g].floor; ++i)
            candidates.emplace_back(values.data_ptr<double>()[ranked[g][i]], g, ranked[g][i]);
    }
    std::sort(candidates.begin(), candidates.end());
    for (const auto& candidate : candidates) scope.steps.push_back(std::get<1>(candidate));
}

}  // namespace

std::vector<std::vector<int64_t>> ranked_channels(const std::vector<Group>& groups,
                                                  const std::vector<torch::Tensor>& scores,
                                                  const std::vector<GroupLimit>& limits) {
    if (scores.size() != groups.size())
        throw Error("allocation", "scores", fmt::format("{} tensors, one per group", groups.size()),
                    std::to_string(scores.size()));
    std::vector<std::vector<int64_t>> ranked(groups.size());
    for (size_t g = 0; g < groups.size(); ++g) {
        if (keeps_all(limits[g])) continue;
        const auto values = checked_scores(groups[g], scores[g]);
        const double* score = values.data_ptr<double>();
        ranked[g].resize(groups[g].channels);
        std::iota(ranked[g].begin(), ranked[g].end(), int64_t{0});
        std::stable_sort(ranked[g].begin(), ranked[g].end(),
                         [score](int64_t a, int64_t b) { return score[a] < score[b]; });
    }
    return ranked;
}

int64_t Scope::count_at(double ratio) const {
    const auto kept = static_cast<int64_t>(static_cast<double>(original) * (1.0 - ratio));
    return std::max<int64_t>(channels - kept, 0);
}

std::vector<Scope> make_scopes(const std::vector<Group>& groups, const std::vector<torch::Tensor>& scores,
                               const std::vector<std::vector<int64_t>>& ranked,
                               const std::vector<GroupLimit>& limits, RankingScope kind) {
    std::vector<Scope> scopes;
    std::map<std::string, size_t> known;
    for (size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].frozen || limits[g].is_ignored) continue;
        const auto own = limits[g].ratio ? RankingScope::local : kind;
        const auto [it, is_new] = known.emplace(scope_key(groups[g], g, own), scopes.size());
        if (is_new) scopes.emplace_back();
        auto& scope = scopes[it->second];
        scope.groups.push_back(g);
        scope.channels += limits[g].channels;
        scope.original += limits[g].original;
    }
    for (auto& scope : scopes) {
        rank(scope, scores, ranked, limits);
        scope.name = scope_name(scope, groups, kind);
    }
    return scopes;
}

std::vector<size_t> merged_steps(const std::vector<const Scope*>& scopes) {
    std::vector<std::tuple<double, size_t, size_t>> order;  // share gone before the step, scope, step
    for (size_t s = 0; s < scopes.size(); ++s)
        for (size_t i = 0; i < scopes[s]->steps.size(); ++i) {
            const int64_t gone = scopes[s]->original - scopes[s]->channels + static_cast<int64_t>(i);
            order.emplace_back(static_cast<double>(gone) / static_cast<double>(scopes[s]->original), s, i);
        }
    std::sort(order.begin(), order.end());
    std::vector<size_t> steps;
    steps.reserve(order.size());
    for (const auto& [share, scope, step] : order) steps.push_back(scopes[scope]->steps[step]);
    return steps;
}

}  // namespace mtlprune
