// The released pruning events on the golden network, in double precision.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <stdexcept>
#include <tuple>

#include "tests/float32_allowance.h"
#include "tests/pruning/pruning_run.h"

namespace mtlprune::iterative_pruner_golden_test {

constexpr int64_t kGoldenBatches = 6;

inline std::vector<int64_t> offsets_of(const std::vector<int64_t>& widths) {
    std::vector<int64_t> offsets(widths.size() + 1, 0);
    std::partial_sum(widths.begin(), widths.end(), offsets.begin() + 1);
    return offsets;
}

inline std::set<int64_t> flat(const std::vector<std::vector<int64_t>>& removed,
                              const std::vector<int64_t>& offsets) {
    std::set<int64_t> indices;
    for (size_t g = 0; g < removed.size(); ++g)
        for (const int64_t channel : removed[g]) indices.insert(offsets[g] + channel);
    return indices;
}

inline std::vector<std::vector<int64_t>> per_group(const std::vector<int64_t>& indices,
                                                   const std::vector<int64_t>& offsets) {
    std::vector<std::vector<int64_t>> groups(offsets.size() - 1);
    for (const int64_t index : indices) {
        if (index < 0 || index >= offsets.back())
            throw std::out_of_range("golden filter " + std::to_string(index) + " of " +
                                    std::to_string(offsets.back()));
        const auto group = std::upper_bound(offsets.begin(), offsets.end(), index) - offsets.begin() - 1;
        groups[group].push_back(index - offsets[group]);
    }
    for (auto& group : groups) std::sort(group.begin(), group.end());
    return groups;
}

/// Scores of the channels that are there, at their places among all channels.
inline torch::Tensor spread(const torch::Tensor& present, const torch::Tensor& alive) {
    return torch::zeros({alive.numel()}, torch::kDouble).masked_scatter(alive, present.to(torch::kDouble));
}

/// The lowest `count` of all channels that are there, ties by group and index; no group falls under `floor`.
inline std::vector<std::vector<int64_t>> lowest(const std::vector<torch::Tensor>& scores,
                                                const std::vector<torch::Tensor>& alive, size_t count,
                                                int64_t floor) {
    std::vector<std::tuple<double, size_t, int64_t>> ranked;
    std::vector<int64_t> left;
    for (size_t g = 0; g < scores.size(); ++g) {
        left.push_back(alive[g].sum().item<int64_t>());
        for (int64_t c = 0; c < scores[g].numel(); ++c)
            if (alive[g][c].item<bool>()) ranked.emplace_back(scores[g][c].item<double>(), g, c);
    }
    std::sort(ranked.begin(), ranked.end());
    std::vector<std::vector<int64_t>> removed(scores.size());
    for (const auto& [score, g, c] : ranked) {
        if (count == 0) break;
        if (left[g] <= floor) continue;
        removed[g].push_back(c);
        --left[g];
        --count;
    }
    return removed;
}

/// The batch of the pruner's next iteration.
inline Batch next_batch(const IterativePruner& pruner) {
    return golden_double_batch(static_cast<int>(pruner.iteration() % kGoldenBatches));
}

/// Walks a released trajectory, of single precision, in double precision with masks: exactly and, where it
/// matters what single precision may change, once per draw of noise in the weights.
class ReleasedWalk {
  public:
    /// `make` wraps a model in the pruner, with masks, to be tested; `floor` is its floor.
    ReleasedWalk(const std::function<PruningRun(PaperModel)>& make, int64_t floor) : floor_(floor) {
        for (int draw = 0; draw <= kNoiseDraws; ++draw) {
            models_.push_back(golden_double_model());
            runs_.push_back(make(models_.back()));
        }
        offsets_ = offsets_of(widths(*models_.front()));
    }

    /// One window that ends with the released event; `order` holds flat indices.
    void run_event(const std::vector<int64_t>& order) {
        alive_ = runs_.front().alive();
        orders_.push_back(order);
        catch_up(0);
    }

    const IterativePruner& exact() const { return *runs_.front().pruner; }

    /// The latest event's exact scores against the released ones [288].
    void expect_scores(const torch::Tensor& released, const std::string& place) {
        const auto name = [&](size_t g) { return place + " group " + std::to_string(g); };
        const auto scores = drawn_results([&](int draw) {
            catch_up(draw);
            TensorMap of_draw;
            for (size_t g = 0; g < alive_.size(); ++g)
                of_draw[name(g)] = runs_[draw].pruner->last_scores()[g];
            return of_draw;
        });
        for (size_t g = 0; g < alive_.size(); ++g)
            if (alive_[g].any().item<bool>())
                expect_as_drawn(scores, name(g),
                                released.slice(0, offsets_[g], offsets_[g + 1]).masked_select(alive_[g]));
    }

    /// Our choice at the latest event is the released one but for filters that single precision may swap.
    void expect_choice(const std::string& place) {
        expect_interchangeable(
            flat(lowest(scores_of(exact()), alive_, orders_.back().size(), floor_), offsets_), place);
    }

    /// The latest event's released choice differs from this one only in such filters.
    void expect_interchangeable(const std::set<int64_t>& ours, const std::string& place) {
        const std::set<int64_t> theirs(orders_.back().begin(), orders_.back().end());
        std::vector<int64_t> only_ours, only_theirs;
        std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                            std::back_inserter(only_ours));
        std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                            std::back_inserter(only_theirs));
        EXPECT_EQ(only_ours.size(), only_theirs.size()) << place;
        for (const int64_t a : only_ours)
            for (const int64_t b : only_theirs) expect_tie(a, b, place);
    }

    /// The released order is ascending but for such filters.
    void expect_order(const std::string& place) {
        const auto& order = orders_.back();
        const auto scores = torch::cat(scores_of(exact()));
        for (size_t i = 1; i < order.size(); ++i)
            if ((scores[order[i - 1]] > scores[order[i]]).item<bool>())
                expect_tie(order[i - 1], order[i], place);
    }

  private:
    /// Of the latest event, for all channels; 0 for those that were gone.
    std::vector<torch::Tensor> scores_of(const IterativePruner& pruner) const {
        std::vector<torch::Tensor> scores;
        for (size_t g = 0; g < alive_.size(); ++g)
            scores.push_back(spread(pruner.last_scores()[g], alive_[g]));
        return scores;
    }

    void catch_up(int draw) {
        auto& pruner = *runs_[draw].pruner;
        while (pruner.events().size() < orders_.size()) {
            pruner.force_next_selection(per_group(orders_[pruner.events().size()], offsets_));
            for (int i = 0; i < 2; ++i) {
                const NoisyWeights noise(models_[draw], draw, pruner.iteration());
                runs_[draw].trainer->take_gradients(next_batch(pruner));
            }
        }
    }

    /// The exact scores of two filters are no further apart than single precision may move them.
    void expect_tie(int64_t a, int64_t b, const std::string& place) {
        const auto scores = drawn_results([&](int draw) -> TensorMap {
            catch_up(draw);
            const auto all = torch::cat(scores_of(*runs_[draw].pruner));
            return {{"a", all[a]}, {"b", all[b]}};
        });
        EXPECT_NEAR(scores.exact.at("a").item<double>(), scores.exact.at("b").item<double>(),
                    scores.allowance("a") + scores.allowance("b"))
            << place << ": filters " << a << " and " << b << " are not tied";
    }

    int64_t floor_;
    std::vector<PaperModel> models_;  ///< per draw
    std::vector<PruningRun> runs_;    ///< per draw
    std::vector<int64_t> offsets_;
    std::vector<std::vector<int64_t>> orders_;  ///< per event, released
    std::vector<torch::Tensor> alive_;          ///< per group, before the latest event
};

}  // namespace mtlprune::iterative_pruner_golden_test
