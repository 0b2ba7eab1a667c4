#include "pruning/search/ratio_candidates.h"

#include <algorithm>

#include "pruning/allocation/removal_order.h"

namespace mtlprune {

RatioCandidates::RatioCandidates(const SearchSubject& subject)
    : subject_(subject),
      limits_(group_limits(subject.coupling, subject.groups, subject.allocation)),
      ranked_(ranked_channels(subject.groups, subject.scores, limits_)),
      present_(channel_counts(subject.groups)) {}

std::vector<size_t> RatioCandidates::groups() const {
    std::vector<size_t> open;
    for (size_t g = 0; g < limits_.size(); ++g)
        if (limits_[g].floor < limits_[g].channels) open.push_back(g);
    return open;
}

int64_t RatioCandidates::count(size_t group, int64_t numerator, int64_t denominator) const {
    const auto& limit = limits_[group];
    const int64_t asked = limit.channels * numerator / denominator;
    return rounded_removal(limit, std::min(asked, limit.channels - limit.floor), subject_.allocation);
}

std::vector<int64_t> RatioCandidates::lowest(size_t group, int64_t count) const {
    std::vector<int64_t> channels(ranked_[group].begin(), ranked_[group].begin() + count);
    std::sort(channels.begin(), channels.end());
    return channels;
}

int64_t RatioCandidates::macs(const std::vector<int64_t>& kept) const {
    return cost_of(subject_.coupling, kept).macs;
}

}  // namespace mtlprune
