#include "pruning/allocation/global_selection.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace mtlprune {
namespace {

struct Candidate {
    double score;
    size_t group;
    int64_t index;
    auto operator<=>(const Candidate&) const = default;
};

std::vector<Candidate> ranked_candidates(const SelectionInput& input) {
    std::vector<Candidate> candidates;
    for (size_t g = 0; g < input.scores.size(); ++g) {
        const auto scores = input.scores[g].to(torch::kCPU, torch::kDouble).contiguous();
        const auto alive = input.alive.empty() ? torch::ones(scores.sizes(), torch::kBool)
                                               : input.alive[g].to(torch::kCPU, torch::kBool).contiguous();
        for (int64_t c = 0; c < scores.numel(); ++c) {
            if (!alive.data_ptr<bool>()[c]) continue;
            const double score = scores.data_ptr<double>()[c];
            if (std::isnan(score))
                throw Error("criterion " + input.criterion,
                            input.groups.at(g) + " channel " + std::to_string(c), "a finite score",
                            "NaN (did the training diverge?)");
            candidates.push_back({score, g, c});
        }
    }
    std::sort(candidates.begin(), candidates.end());
    return candidates;
}

}  // namespace

std::vector<std::vector<int64_t>> select_lowest(const SelectionInput& input, int64_t count, int64_t floor) {
    const auto candidates = ranked_candidates(input);
    std::vector<int64_t> remaining(input.scores.size(), 0);
    for (const auto& candidate : candidates) ++remaining[candidate.group];
    std::vector<std::vector<int64_t>> removed(input.scores.size());
    for (const auto& candidate : candidates) {
        if (count == 0) break;
        if (remaining[candidate.group] <= floor) continue;
        removed[candidate.group].push_back(candidate.index);
        --remaining[candidate.group];
        --count;
    }
    for (auto& indices : removed) std::sort(indices.begin(), indices.end());
    return removed;
}

}  // namespace mtlprune
