// PAGCP against a slow walk over the groups, with losses that are plain functions of what is removed.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "pruning/search/allowance.h"
#include "pruning/search/search.h"
#include "tests/pruning/toy_networks.h"
#include "tests/pruning/toy_scores.h"

namespace mtlprune::pagcp_test {
namespace {

using toy::Removed;
using toy::Scores;

double log_product(double rate, double growth, int64_t units) {
    double sum = 0.0;
    for (int64_t i = 0; i < units; ++i)
        sum += std::log(1.0 + rate * std::pow(growth, static_cast<double>(i)));
    return sum;
}

TEST(Allowance, MultipliesToTheFactor) {
    EXPECT_NEAR(log_product(0.06, allowance_growth(0.06, 6.0, 50), 50), std::log(6.0), 1e-9);
    const std::vector<std::pair<int64_t, double>> roots = {
        {20, 1.044861}, {30, 1.001747}, {50, 0.977920}, {80, 0.969914}};
    double before = std::numeric_limits<double>::infinity();
    for (const auto& [units, root] : roots) {
        const double growth = allowance_growth(0.06, 6.0, units);
        EXPECT_NEAR(growth, root, 1e-6) << units;
        EXPECT_LT(growth, before);
        before = growth;
    }
    EXPECT_NEAR(allowance_growth(0.5, 1.5 * 1.5 * 1.5, 3), 1.0, 1e-12);
    EXPECT_NEAR(log_product(0.06, allowance_growth(0.06, 6.0, 2), 2), std::log(6.0), 1e-9);
    EXPECT_EQ(allowance_growth(0.06, 6.0, 1), 1.0);
}

TEST(Allowance, DoesNotExistForEveryFactor) {
    EXPECT_THROW(allowance_growth(0.06, 1.05, 10), Error);
    EXPECT_THROW(allowance_growth(0.0, 6.0, 10), Error);
    EXPECT_THROW(allowance_growth(std::nan(""), 6.0, 10), Error);
    EXPECT_NO_THROW(allowance_growth(0.06, 1.06, 10));
}

/// Every channel that is missing raises every task's loss by some share of it; some groups matter more.
struct Losses {
    std::vector<std::vector<std::vector<double>>> shares;  ///< per task, group, channel
    std::vector<double> base = {2.0, 0.5};
    double wave = 0.0;  ///< above 0: losses do not only rise

    Losses(const std::vector<Group>& groups, uint64_t key, double scale = 0.03) {
        for (size_t t = 0; t < base.size(); ++t) {
            auto& of_task = shares.emplace_back();
            for (size_t g = 0; g < groups.size(); ++g) {
                Random random(key * 10000 + t * 100 + g);
                const double weight = scale * std::pow(random.uniform(), 2.0);
                auto& of_group = of_task.emplace_back();
                for (int64_t c = 0; c < groups[g].channels; ++c)
                    of_group.push_back(weight * random.uniform());
            }
        }
    }
    std::vector<double> operator()(const Removed& removed) const {
        std::vector<double> losses;
        for (size_t t = 0; t < base.size(); ++t) {
            double sum = 0.0, count = 0.0;
            for (size_t g = 0; g < removed.size(); ++g)
                for (const int64_t c : removed[g]) {
                    sum += shares[t][g][static_cast<size_t>(c)];
                    count += 1.0;
                }
            losses.push_back(base[t] * (1.0 + sum + wave * (1.0 - std::cos(count))));
        }
        return losses;
    }
};

struct Case {
    Coupling coupling = toy::couple(toy::multi_task_model());
    Scores scores;
    Losses losses;
    AllocationOptions limits = {};
    int64_t round = 0;

    explicit Case(uint64_t key)
        : scores(toy::random_scores(coupling.groups, key)), losses(coupling.groups, key) {}

    Allocation choose(const std::string& search, const LossesWithout& other = {}) const {
        return searches().make(search)->choose({.coupling = coupling,
                                                .groups = coupling.groups,
                                                .scores = scores,
                                                .allocation = limits,
                                                .losses = other ? other : LossesWithout(losses),
                                                .round = round});
    }
};

/// What the walk is to do, see the sections 4 and 5 of the method.
struct Walk {
    double rate = 0.06, factor = 6.0, topk = 1.0;
    bool growing = true, empty_candidates = false, dense_when_all_pass = false, skipped_keep_rate = false;
    std::vector<double> allowances = {};  ///< of the groups that were pruned
    Removed searched = {};                ///< in the network of the search
    int64_t skipped = 0, passed_all = 0, empty = 0;

    Removed run(const Case& of) {
        const auto& groups = of.coupling.groups;
        std::vector<size_t> order;
        for (size_t g = 0; g < groups.size(); ++g)
            if (!groups[g].frozen) order.push_back(g);
        double growth = 1.0;
        if (growing) {
            double low = 0.0, high = 100.0;
            for (int i = 0; i < 200; ++i) {
                const double middle = (low + high) / 2;
                double product = 1.0;
                for (size_t u = 0; u < order.size(); ++u)
                    product *= 1.0 + rate * std::pow(middle, static_cast<double>(u));
                (product < factor ? low : high) = middle;
            }
            growth = high;
        }
        std::vector<double> saving(groups.size());
        for (const size_t g : order) {
            Removed thirty(groups.size());
            thirty[g] = lowest(of, g, 0.3);
            saving[g] = static_cast<double>(macs(of, Removed(groups.size())) - macs(of, thirty));
        }
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
            return growth <= 1.0 ? saving[a] > saving[b] : saving[a] < saving[b];
        });

        searched.assign(groups.size(), {});
        auto base = of.losses(searched);
        double base_sum = base[0] + base[1], d = rate;
        std::vector<std::tuple<size_t, std::vector<int64_t>, double>> accepted;
        for (const size_t g : order) {
            std::vector<std::vector<int64_t>> good;
            bool violated = false;
            for (int l = 0; l < 19 && !violated; ++l) {
                const auto channels = lowest(of, g, 0.05 + 0.05 * l);
                if (channels.empty()) ++empty;
                if (channels.empty() && !empty_candidates) continue;
                auto candidate = searched;
                candidate[g] = channels;
                const auto now = of.losses(candidate);
                violated = std::max(now[0] / base[0], now[1] / base[1]) > 1.0 + d;
                if (!violated) good.push_back(channels);
            }
            if (good.empty()) {
                ++skipped;
                if (!skipped_keep_rate) d *= growth;
                continue;
            }
            if (!violated) ++passed_all;
            const bool stays = !violated && dense_when_all_pass;
            const auto chosen = stays ? good[good.size() - 2] : good.back();
            auto with = searched;
            with[g] = chosen;
            const auto now = of.losses(with);
            accepted.emplace_back(g, chosen, now[0] + now[1] - base_sum);
            if (stays) continue;
            searched = with;
            if (!chosen.empty()) allowances.push_back(d);
            d *= growth;
            base_sum = std::max(base_sum, now[0] + now[1]);
            for (size_t t = 0; t < 2; ++t) base[t] = std::max(base[t], now[t]);
        }
        return best(of, accepted, static_cast<int64_t>(order.size()));
    }

  private:
    static int64_t macs(const Case& of, const Removed& removed) {
        return cost_of(of.coupling, toy::kept(of.coupling.groups, removed)).macs;
    }

    static std::vector<int64_t> lowest(const Case& of, size_t group, double ratio) {
        const auto& scores = of.scores[group];
        std::vector<int64_t> channels(static_cast<size_t>(scores.numel()));
        for (size_t c = 0; c < channels.size(); ++c) channels[c] = static_cast<int64_t>(c);
        std::sort(channels.begin(), channels.end(),
                  [&](int64_t a, int64_t b) { return scores[a].item<double>() < scores[b].item<double>(); });
        channels.resize(static_cast<size_t>(static_cast<double>(channels.size()) * ratio + 1e-9));
        std::sort(channels.begin(), channels.end());
        return channels;
    }

    Removed best(const Case& of,
                 const std::vector<std::tuple<size_t, std::vector<int64_t>, double>>& accepted,
                 int64_t units) const {
        Removed so_far(of.coupling.groups.size()), result = so_far;
        std::vector<double> scores;
        for (const auto& [group, channels, rise] : accepted) {
            const auto before = macs(of, so_far);
            so_far[group] = channels;
            const auto saved = static_cast<double>(before - macs(of, so_far));
            scores.push_back(saved <= 0 ? std::numeric_limits<double>::infinity() : rise / (saved + 1e-20));
        }
        auto left = static_cast<int64_t>(topk * static_cast<double>(units) + 1e-9);
        for (; left > 0 && std::any_of(scores.begin(), scores.end(), [](double s) { return !std::isnan(s); });
             --left) {
            size_t least = accepted.size();
            for (size_t i = 0; i < scores.size(); ++i)
                if (!std::isnan(scores[i]) && (least == accepted.size() || scores[i] < scores[least]))
                    least = i;
            scores[least] = std::nan("");
            result[std::get<0>(accepted[least])] = std::get<1>(accepted[least]);
        }
        return result;
    }
};

std::string text_of(const Walk& walk) {
    Choice choice{"pagcp"};
    choice.options = {{"initial_rate", walk.rate},
                      {"initial_thres", walk.factor},
                      {"topk", walk.topk},
                      {"exp", walk.growing},
                      {"empty_candidates", walk.empty_candidates},
                      {"dense_when_all_pass", walk.dense_when_all_pass},
                      {"skipped_keep_rate", walk.skipped_keep_rate}};
    return choice_text(choice);
}

std::vector<Walk> walks() {
    std::vector<Walk> all;
    for (const double topk : {1.0, 0.5})
        for (const auto& [factor, growing] :
             {std::pair(6.0, true), std::pair(1.5, true), std::pair(1.0, false)}) {
            Walk walk{.factor = factor, .topk = topk, .growing = growing};
            all.push_back(walk);
            for (auto quirk :
                 {&Walk::empty_candidates, &Walk::dense_when_all_pass, &Walk::skipped_keep_rate}) {
                auto other = walk;
                other.*quirk = true;
                all.push_back(other);
            }
            walk.empty_candidates = walk.dense_when_all_pass = walk.skipped_keep_rate = true;
            all.push_back(walk);
        }
    return all;
}

TEST(Pagcp, IsTheSlowWalk) {
    int64_t skipped = 0, passed_all = 0, empty = 0;
    for (uint64_t key = 1; key <= 4; ++key) {
        Case of(key);
        of.losses.wave = key == 4 ? 0.02 : 0.0;
        for (auto walk : walks()) {
            const auto expected = walk.run(of);
            EXPECT_EQ(of.choose(text_of(walk)).removed, expected) << key << ": " << text_of(walk);
            skipped += walk.skipped;
            passed_all += walk.passed_all;
            empty += walk.empty;
        }
    }
    EXPECT_GT(skipped, 0);
    EXPECT_GT(passed_all, 0);
    EXPECT_GT(empty, 0);
}

/// A ratio without channels passes always, which matters where groups that pass none use up no allowance.
TEST(Pagcp, QuirksOfTheReleaseChangeWhatLeaves) {
    const std::string plain = "pagcp:initial_thres=1.5,topk=1.0";
    for (const auto& [quirk, without] : {std::pair<std::string, std::string>("dense_when_all_pass", plain),
                                         {"skipped_keep_rate", plain},
                                         {"empty_candidates", plain + ",skipped_keep_rate"}}) {
        int changed = 0;
        for (uint64_t key = 1; key <= 8; ++key) {
            const Case of(key);
            if (of.choose(without).removed != of.choose(without + "," + quirk).removed) ++changed;
        }
        EXPECT_GT(changed, 0) << quirk;
        EXPECT_TRUE(searches().at("pagcp").as_released.at(quirk).get<bool>());
    }
}

TEST(Pagcp, KeepsEveryLossUnderTheProductOfTheAllowances) {
    for (uint64_t key = 1; key <= 4; ++key) {
        const Case of(key);
        Walk walk;
        walk.run(of);
        const auto removed = of.choose(text_of(walk)).removed;
        ASSERT_EQ(removed, walk.searched);
        double product = 1.0;
        for (const double allowance : walk.allowances) product *= 1.0 + allowance;
        const auto losses = of.losses(removed);
        for (size_t t = 0; t < losses.size(); ++t)
            EXPECT_LE(losses[t] / of.losses.base[t], product * (1.0 + 1e-12));
        EXPECT_LE(product, 6.0 * (1.0 + 1e-9));
        EXPECT_GT(walk.allowances.size(), 3U);
    }
}

/// One group of 20 channels.
struct OneGroup {
    Coupling coupling;
    OneGroup() {
        toy::Network n;
        auto conv = n.convolution("conv", 3, 20), last = n.convolution("last", 20, 2);
        n = toy::finish(n, [=](const std::vector<torch::Tensor>& in) mutable -> std::vector<torch::Tensor> {
            return {last(torch::relu(conv(in[0])))};
        });
        coupling = toy::couple(n);
    }
    int64_t count(const LossesWithout& losses, const AllocationOptions& limits = {},
                  const std::string& search = "pagcp:topk=1.0") const {
        Scores scores;
        for (const auto& group : coupling.groups)
            scores.push_back(torch::arange(group.channels, torch::kDouble));
        const auto removed = searches()
                                 .make(search)
                                 ->choose({.coupling = coupling,
                                           .groups = coupling.groups,
                                           .scores = scores,
                                           .allocation = limits,
                                           .losses = losses})
                                 .removed;
        EXPECT_TRUE(removed[1].empty());
        for (size_t c = 0; c < removed[0].size(); ++c) EXPECT_EQ(removed[0][c], static_cast<int64_t>(c));
        return static_cast<int64_t>(removed[0].size());
    }
};

bool is_gone(const Removed& removed, int64_t channel) {
    return std::find(removed[0].begin(), removed[0].end(), channel) != removed[0].end();
}

TEST(Pagcp, TheTaskThatSuffersMostDecides) {
    const OneGroup network;
    const auto robust = [](const Removed& removed) { return 1.0 + 0.001 * double(removed[0].size()); };
    const auto sensitive = [](const Removed& removed) { return is_gone(removed, 4) ? 30.0 : 3.0; };
    const auto both = [&](const Removed& r) { return std::vector{robust(r), sensitive(r)}; };
    const auto sensitive_alone = [&](const Removed& r) { return std::vector{sensitive(r)}; };
    const auto robust_alone = [&](const Removed& r) { return std::vector{robust(r)}; };
    EXPECT_EQ(network.count(both), 4);
    EXPECT_EQ(network.count(sensitive_alone), 4);
    EXPECT_EQ(network.count(robust_alone), 19);
}

TEST(Pagcp, LimitsHold) {
    const OneGroup network;
    const auto flat = [](const Removed&) { return std::vector{1.0, 1.0}; };
    EXPECT_EQ(network.count(flat), 19);
    EXPECT_EQ(network.count(flat, {.min_channels = 8}), 12);
    EXPECT_EQ(network.count(flat, {.max_ratio = 0.33}), 6);
    EXPECT_EQ(network.count(flat, {.min_channels = 6, .round_to = 8}), 12);
    EXPECT_EQ(network.count(flat, {.ignore = {"conv"}}), 0);
}

TEST(Pagcp, NoNumberIsNoCandidate) {
    const OneGroup network;
    const auto broken = [](const Removed& removed) {
        return std::vector{1.0, removed[0].size() > 7 ? std::nan("") : 1.0};
    };
    EXPECT_EQ(network.count(broken), 7);
    EXPECT_THROW(network.count([](const Removed&) { return std::vector{std::nan("")}; }), Error);
    EXPECT_THROW(network.count([](const Removed&) { return std::vector{1.0, -0.5}; }), Error);
    EXPECT_THROW(network.count([](const Removed& r) { return std::vector{r[0].empty() ? 1.0 : -0.5}; }),
                 Error);
    const auto from_zero = [](const Removed& removed) {
        return std::vector{removed[0].size() > 3 ? 1e-9 : 0.0};
    };
    EXPECT_EQ(network.count(from_zero), 3);
}

TEST(Pagcp, BisectionFindsTheSameWithFewerLosses) {
    const OneGroup network;
    for (int64_t most = 0; most < 20; ++most) {
        std::map<std::string, int> calls;
        for (const std::string scan : {"linear", "binary"}) {
            const auto losses = [&](const Removed& removed) {
                ++calls[scan];
                return std::vector{static_cast<int64_t>(removed[0].size()) > most ? 2.0 : 1.0};
            };
            EXPECT_EQ(network.count(losses, {}, "pagcp:topk=1.0,scan=" + scan), most) << scan;
        }
        EXPECT_LE(calls["binary"], 1 + 5);
        EXPECT_EQ(calls["linear"], 1 + std::min<int64_t>(most + 1, 19));
    }
}

TEST(Pagcp, VisitsGroupsByTheMacsThatTheySave) {
    const Case of(1);
    const auto& groups = of.coupling.groups;
    for (const std::string options : {"exp=false", "initial_thres=1.5", "initial_thres=20.0"}) {
        std::vector<double> savings;
        const auto hopeless = [&](const Removed& removed) {
            int64_t shrunk = 0;
            for (size_t g = 0; g < groups.size(); ++g) {
                if (removed[g].empty()) continue;
                ++shrunk;
                auto counts = channel_counts(groups);
                counts[g] -= counts[g] * 3 / 10;
                savings.push_back(
                    static_cast<double>(cost_of(of.coupling.graph).macs - cost_of(of.coupling, counts).macs));
            }
            EXPECT_LE(shrunk, 1);
            return std::vector{shrunk > 0 ? 100.0 : 1.0};
        };
        const auto removed = of.choose("pagcp:" + options, hopeless).removed;
        EXPECT_EQ(toy::kept(groups, removed), channel_counts(groups));
        EXPECT_GT(savings.size(), 10U);
        if (options != "initial_thres=20.0") std::reverse(savings.begin(), savings.end());
        EXPECT_TRUE(std::is_sorted(savings.begin(), savings.end())) << options;
    }
}

TEST(Pagcp, ScalesOfGroupsDoNotMatter) {
    Case of(2);
    const auto before = of.choose("pagcp").removed;
    for (size_t g = 0; g < of.scores.size(); ++g) of.scores[g] = of.scores[g] * (1.0 + double(g));
    EXPECT_EQ(of.choose("pagcp").removed, before);
}

TEST(Pagcp, RoundsRaiseTheAllowances) {
    Case of(3);
    const auto first = of.choose("pagcp:initial_rate=0.06,rate_slope=0.02,thres_slope=2.0").removed;
    EXPECT_EQ(first, of.choose("pagcp").removed);
    of.round = 2;
    const auto third = of.choose("pagcp:initial_rate=0.06,rate_slope=0.02,thres_slope=2.0").removed;
    EXPECT_NE(third, first);
    of.round = 0;
    EXPECT_EQ(of.choose("pagcp:initial_rate=0.1,initial_thres=10.0").removed, third);
}

TEST(Pagcp, SaysWhichTasksStopIt) {
    const auto notes = Case(1).choose("pagcp").notes;
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_NE(notes[0].find("groups stopped by each task: "), std::string::npos) << notes[0];
}

TEST(Pagcp, OptionsOutOfRangeAreErrors) {
    for (const std::string text : {"pagcp:initial_rate=-0.1", "pagcp:initial_thres=0.5", "pagcp:topk=1.5",
                                   "pagcp:scan=both", "pagcp:rate=1.0", "pagpc"})
        EXPECT_THROW(searches().make(text), Error) << text;
}

}  // namespace
}  // namespace mtlprune::pagcp_test
