// Decisions of tasks against slow loops over sorted lists.
#include "pruning/masks/task_votes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "pruning/masks/erk.h"
#include "tests/bad_input.h"
#include "tests/pruning/masked_run.h"

namespace mtlprune::task_votes_test {
namespace {

/// Two shared layers and a head per task.
struct Universe {
    explicit Universe(size_t count, bool heads = true) {
        weights = {{"a", "", true, torch::zeros({4, 3, 3})}, {"b", "", true, torch::zeros({5, 7})}};
        for (size_t t = 0; t < count; ++t) {
            tasks.push_back(fmt::format("t{}", t));
            if (heads)
                weights.push_back({fmt::format("h{}", t), tasks.back(), true,
                                   torch::zeros({static_cast<int64_t>(6 + 5 * t)})});
        }
    }
    /// Rounded, so that many are equal, and many 0.
    std::vector<WeightScores> drawn(uint64_t key, double steps = 1e9) const {
        std::vector<WeightScores> scores(tasks.size(), WeightScores(weights.size()));
        for (size_t t = 0; t < tasks.size(); ++t)
            for (const size_t i : reached_by(weights, tasks[t]))
                scores[t][i] =
                    (noise(weights[i].parameter.sizes(), key * 100 + t * 10 + i, torch::kDouble).abs() *
                     steps)
                        .floor() /
                    steps;
        return scores;
    }
    WeightMasks decide(const std::vector<WeightScores>& scores, const VoteOptions& options) const {
        return mtlprune::decide(weights, tasks, scores, options);
    }
    int64_t size() const {
        int64_t sum = 0;
        for (const auto& weight : weights) sum += weight.parameter.numel();
        return sum;
    }

    std::vector<MaskableWeight> weights;
    std::vector<std::string> tasks;
};

struct Place {
    double score;
    size_t layer, index;
    bool operator<(const Place& other) const {
        return std::tie(score, layer, index) < std::tie(other.score, other.layer, other.index);
    }
};

/// In the order in which they leave.
std::vector<Place> leaving(const WeightScores& scores) {
    std::vector<Place> places;
    for (size_t l = 0; l < scores.size(); ++l) {
        if (!scores[l].defined()) continue;
        const auto values = doubles(scores[l]);
        for (size_t i = 0; i < values.size(); ++i) places.push_back({values[i], l, i});
    }
    std::sort(places.begin(), places.end());
    return places;
}

using Kept = std::vector<std::vector<bool>>;  // [layer][index]

Kept nothing(const std::vector<MaskableWeight>& weights) {
    Kept kept;
    for (const auto& weight : weights)
        kept.emplace_back(static_cast<size_t>(weight.parameter.numel()), false);
    return kept;
}

/// What a task keeps that keeps this share.
Kept kept_by(const Universe& universe, const WeightScores& scores, double share, bool ties) {
    const auto places = leaving(scores);
    const auto count = static_cast<size_t>(static_cast<double>(places.size()) * share);
    const double last = count > 0 ? places[places.size() - count].score : 0.0;
    auto kept = nothing(universe.weights);
    for (size_t rank = 0; rank < places.size(); ++rank) {
        const auto& place = places[rank];
        kept[place.layer][place.index] =
            ties ? place.score >= last : rank >= places.size() - count && place.score > 0.0;
    }
    return kept;
}

Kept voted(const Universe& universe, const std::vector<Kept>& of_tasks, Vote vote) {
    auto joint = nothing(universe.weights);
    for (size_t l = 0; l < joint.size(); ++l)
        for (size_t i = 0; i < joint[l].size(); ++i) {
            size_t prune = 0, voters = 0;
            for (size_t t = 0; t < of_tasks.size(); ++t) {
                const auto& task = universe.weights[l].task;
                if (!task.empty() && task != universe.tasks[t]) continue;
                ++voters;
                prune += !of_tasks[t][l][i];
            }
            bool pruned = prune == voters;
            if (vote == Vote::any) pruned = prune > 0;
            if (vote == Vote::majority) pruned = 2 * prune > voters;
            joint[l][i] = !pruned;
        }
    return joint;
}

void expect_equal(const WeightMasks& masks, const Kept& expected) {
    for (size_t l = 0; l < expected.size(); ++l) {
        const auto found = doubles(masks.layers().at(l).kept);
        for (size_t i = 0; i < expected[l].size(); ++i)
            ASSERT_EQ(found[i] != 0.0, expected[l][i]) << masks.layers()[l].name << "[" << i << "]";
    }
}

TEST(TaskVotes, AShareKeptByEveryTaskIsWhatSlowLoopsSay) {
    for (const size_t tasks : {1U, 2U, 3U, 4U}) {
        const Universe universe(tasks);
        for (const double steps : {1e9, 4.0})
            for (const auto vote : {Vote::all, Vote::any, Vote::majority})
                for (const bool ties : {false, true})
                    for (const double share : {0.05, 0.3, 0.77, 1.0}) {
                        const auto scores = universe.drawn(tasks, steps);
                        std::vector<Kept> of_tasks;
                        for (const auto& own : scores)
                            of_tasks.push_back(kept_by(universe, own, share, ties));
                        const auto masks =
                            universe.decide(scores, {.keep = share, .vote = vote, .threshold = ties});
                        expect_equal(masks, voted(universe, of_tasks, vote));
                    }
    }
}

TEST(TaskVotes, ADensityIsMetExactly) {
    for (const size_t tasks : {1U, 2U, 3U}) {
        const Universe universe(tasks);
        for (const auto vote : {Vote::all, Vote::any, Vote::majority})
            for (const double density : {0.02, 0.1, 0.5, 0.93}) {
                const auto masks = universe.decide(universe.drawn(7), {.density = density, .vote = vote});
                EXPECT_EQ(masks.count().kept, std::llround(density * static_cast<double>(universe.size())));
            }
    }
}

/// Some share of every task's own leads to these masks, but for weights of equal rank.
TEST(TaskVotes, ADensityIsThatOfAKeepRatio) {
    const Universe universe(2);
    const auto scores = universe.drawn(3);
    for (const auto vote : {Vote::all, Vote::any, Vote::majority}) {
        const auto masks = universe.decide(scores, {.density = 0.3, .vote = vote});
        int64_t fewest = universe.size();
        for (const auto& own : scores) {
            const auto size = static_cast<double>(leaving(own).size());
            for (double count = 2.0; count <= size; ++count) {
                const auto other = universe.decide(scores, {.keep = count / size + 1e-12, .vote = vote});
                int64_t differing = 0;
                for (const auto& layer : masks.layers())
                    differing += layer.kept.ne(other.at(layer.name)).sum().item<int64_t>();
                fewest = std::min(fewest, differing);
            }
        }
        EXPECT_LE(fewest, 1);
    }
}

TEST(TaskVotes, ASharedWeightLeavesWhenNoTaskWantsIt) {
    const Universe two(2), three(3);
    auto scores = three.drawn(5);
    const VoteOptions options{.keep = 0.3};
    const auto joint = three.decide(scores, options);
    scores.pop_back();
    for (auto& own : scores) own.pop_back();
    const auto without = two.decide(scores, options);
    for (const auto* name : {"a", "b"})
        EXPECT_EQ(without.at(name).logical_and(joint.at(name).logical_not()).sum().item<int64_t>(), 0)
            << "another task can only keep more";
}

TEST(TaskVotes, EqualTasksWithoutHeadsAreOneTask) {
    const Universe one(1, false), three(3, false);
    const auto scores = one.drawn(2);
    for (const auto vote : {Vote::all, Vote::any, Vote::majority}) {
        const VoteOptions options{.density = 0.37, .vote = vote};
        const auto alone = one.decide(scores, options);
        const auto together = three.decide({scores[0], scores[0], scores[0]}, options);
        for (const auto& layer : alone.layers())
            EXPECT_TRUE(torch::equal(layer.kept, together.at(layer.name)));
        EXPECT_EQ(alone.count().kept, std::llround(0.37 * static_cast<double>(one.size())));
    }
}

TEST(TaskVotes, TheRatioIsAtMostTheDensityItLeadsTo) {
    const Universe universe(3, false);
    for (const double share : {0.1, 0.4, 0.8})
        EXPECT_GE(universe.decide(universe.drawn(1), {.keep = share}).count().density(), share - 0.02);
}

TEST(TaskVotes, WeightsThatNoLossNoticesDoNotStay) {
    const Universe universe(1, false);
    auto scores = universe.drawn(4);
    scores[0][0].zero_();
    const auto rest = scores[0][1].numel();
    for (const VoteOptions& options : {VoteOptions{.density = 0.9}, VoteOptions{.keep = 0.9}}) {
        const auto masks = universe.decide(scores, options);
        EXPECT_EQ(masks.count().kept, rest);
        EXPECT_EQ(masks.at("a").sum().item<int64_t>(), 0);
    }
    // As released, a threshold of 0 keeps everything.
    EXPECT_EQ(universe.decide(scores, {.keep = 0.9, .threshold = true}).count().density(), 1.0);
}

TEST(TaskVotes, AsReleasedADensityIsReachedByAThresholdWithItsTies) {
    const Universe universe(2);
    const auto distinct = universe.drawn(6);
    auto tied = distinct;
    for (auto& own : tied)
        for (auto& score : own)
            if (score.defined()) score = score.clamp_max(0.5) + 0.1;
    const VoteOptions exact{.density = 0.2}, released{.density = 0.2, .threshold = true};
    const auto wanted = std::llround(0.2 * static_cast<double>(universe.size()));
    EXPECT_NEAR(static_cast<double>(universe.decide(distinct, released).count().kept),
                static_cast<double>(wanted), 2);
    EXPECT_EQ(universe.decide(tied, exact).count().kept, wanted);
    int64_t highest_of_any = 0;
    for (size_t i = 0; i < universe.weights.size(); ++i) {
        auto any = torch::zeros_like(universe.weights[i].parameter, torch::kBool);
        for (const auto& own : tied)
            if (own[i].defined()) any = any.logical_or(own[i].eq(0.6));
        highest_of_any += any.sum().item<int64_t>();
    }
    EXPECT_GT(highest_of_any, wanted);
    EXPECT_EQ(universe.decide(tied, released).count().kept, highest_of_any);
}

TEST(TaskVotes, SayWhatCannotBeDecided) {
    const Universe universe(2);
    auto scores = universe.drawn(1);
    EXPECT_EQ(error_of([&] { universe.decide(scores, {.density = 1e-6}); }),
              "weight masks: density: expected one that keeps a weight, found 1e-06");
    EXPECT_EQ(error_of([&] { universe.decide(scores, {.keep = 0.001}); }),
              "weight masks: keep: expected a share of at least one of t0's weights, found 0.001");
    scores[1][0].view({-1})[3] = NAN;
    EXPECT_EQ(error_of([&] { universe.decide(scores, {.keep = 0.1}); }),
              "weight masks: scores of a for t1: expected numbers, found NaN");
}

/// The sum over all densities, solved by trying scales.
std::vector<double> slow_erk(const std::vector<std::vector<int64_t>>& shapes, double density) {
    std::vector<double> raw, sizes;
    double all = 0.0;
    for (const auto& shape : shapes) {
        double sum = 0.0, product = 1.0;
        for (const auto size : shape) {
            sum += static_cast<double>(size);
            product *= static_cast<double>(size);
        }
        raw.push_back(std::exp(0.9 * std::log(sum / product)));
        sizes.push_back(product);
        all += product;
    }
    double low = 0.0, high = 1e9;
    for (int i = 0; i < 300; ++i) {
        const double scale = (low + high) / 2;
        double kept = 0.0;
        for (size_t l = 0; l < raw.size(); ++l) kept += std::min(1.0, scale * raw[l]) * sizes[l];
        (kept < density * all ? low : high) = scale;
    }
    std::vector<double> densities;
    for (const double value : raw) densities.push_back(std::min(1.0, low * value));
    return densities;
}

TEST(ErkDensities, AreProportionalUpToOneAndMeetTheShare) {
    const std::vector<std::vector<int64_t>> shapes = {{8, 3, 3, 3},   {16, 8, 3, 3}, {32, 16, 3, 3},
                                                      {32, 32, 1, 1}, {5, 32},       {64, 32, 3, 3}};
    for (const double density : {0.02, 0.1, 0.3, 0.6, 0.95}) {
        const auto found = erk_densities(shapes, density), expected = slow_erk(shapes, density);
        double kept = 0.0, all = 0.0;
        for (size_t l = 0; l < shapes.size(); ++l) {
            EXPECT_NEAR(found[l], expected[l], 1e-9) << density << " " << l;
            EXPECT_GT(found[l], 0.0);
            EXPECT_LE(found[l], 1.0);
            double size = 1.0;
            for (const auto n : shapes[l]) size *= static_cast<double>(n);
            kept += found[l] * size;
            all += size;
        }
        EXPECT_NEAR(kept, density * all, 1e-6 * all);
        EXPECT_GE(found[0], found[5]) << "small layers are denser";
    }
    for (const double one : erk_densities(shapes, 1.0)) EXPECT_NEAR(one, 1.0, 1e-12);
}

}  // namespace
}  // namespace mtlprune::task_votes_test
