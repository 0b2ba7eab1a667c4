#include "pruning/criteria/score_reduction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mtlprune {
namespace {

/// Not std::max, which loses NaN.
double larger(double a, double b) {
    return a > b || std::isnan(a) ? a : b;
}

void add_member(ChannelValues& total, const ChannelValues& values, MemberReduction reduction) {
    for (size_t c = 0; c < total.size(); ++c)
        total[c] = reduction == MemberReduction::max ? larger(total[c], values[c]) : total[c] + values[c];
}

/// The share that each score has in itself and all that are not smaller. Of equal scores the later counts as
/// the larger; when all are 0 the last gets 1 and the others 0.
ChannelValues lamp(const ChannelValues& scores) {
    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
    ChannelValues result(scores.size());
    double above = 0;
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
        above += scores[*it];
        result[*it] = above > 0 ? scores[*it] / above : it == order.rbegin() ? 1.0 : scores[*it];
    }
    return result;
}

}  // namespace

ChannelValues reduced(const std::vector<ChannelValues>& members, MemberReduction reduction,
                      int64_t positions) {
    ChannelValues total(members.front().size());
    const size_t count = reduction == MemberReduction::first ? 1 : members.size();
    for (size_t m = 0; m < count; ++m) add_member(total, members[m], reduction);
    double divisor = static_cast<double>(positions);
    if (reduction == MemberReduction::mean) divisor *= static_cast<double>(count);
    for (auto& value : total) value /= divisor;
    return total;
}

ChannelValues normalised(ChannelValues scores, ScoreNormaliser normaliser) {
    if (normaliser == ScoreNormaliser::lamp) return lamp(scores);
    double divisor = 1.0;
    const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
    if (normaliser == ScoreNormaliser::sum) divisor = sum;
    if (normaliser == ScoreNormaliser::mean) divisor = sum / static_cast<double>(scores.size());
    if (normaliser == ScoreNormaliser::max) divisor = *std::max_element(scores.begin(), scores.end());
    if (divisor != 0)
        for (auto& score : scores) score /= divisor;
    return scores;
}

}  // namespace mtlprune
