#include "pruning/criteria/criterion.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>

#include "base/error.h"
#include "pruning/criteria/filter_distances.h"
#include "pruning/criteria/score_reduction.h"
#include "pruning/network/network.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::weight_scores_test {
namespace {

using Values = std::vector<double>;

/// Scores by the name of the group.
class Scored {
  public:
    explicit Scored(const toy::Network& network, const std::string& criterion = "l2")
        : tensors_(stored_tensors(*network.module)),
          coupling_(toy::couple(network)),
          result_(scores_without_data(*criteria().make(criterion), coupling_.graph, coupling_.groups,
                                      tensors_)) {}

    torch::Tensor of(const std::string& name) const { return result_.scores.at(number(name)); }
    size_t number(const std::string& name) const {
        for (size_t g = 0; g < coupling_.groups.size(); ++g)
            if (coupling_.groups[g].name == name) return g;
        throw std::out_of_range(name);
    }
    torch::Tensor tensor(const std::string& name) const { return tensors_.at(name).detach(); }
    const Scores& result() const { return result_; }
    const Coupling& coupling() const { return coupling_; }

  private:
    StoredTensors tensors_;
    Coupling coupling_;
    Scores result_;
};

/// The criterion without division by the group's mean.
std::string raw(const std::string& criterion, const std::string& reduction = "mean") {
    return criterion + ":normaliser=none,reduction=" + reduction;
}

/// Sum of |w|^p over index `i` of dimension `dim`, element by element.
double slice(const torch::Tensor& weight, int64_t dim, int64_t i, int p) {
    const auto w = weight.select(dim, i).contiguous();
    double sum = 0;
    for (int64_t k = 0; k < w.numel(); ++k) sum += std::pow(std::fabs(w.data_ptr<double>()[k]), p);
    return sum;
}

void expect_values(const torch::Tensor& scores, const Values& expected) {
    ASSERT_EQ(scores.scalar_type(), torch::kFloat64);
    ASSERT_EQ(scores.numel(), static_cast<int64_t>(expected.size()));
    for (size_t c = 0; c < expected.size(); ++c)
        EXPECT_NEAR(scores[c].item<double>(), expected[c], 1e-12 * std::fabs(expected[c])) << c;
}

Values per_channel(int64_t channels, const std::function<double(int64_t)>& score) {
    Values values;
    for (int64_t c = 0; c < channels; ++c) values.push_back(score(c));
    return values;
}

TEST(WeightScores, OfAResidualStreamAskBothProducersAndBothReaders) {
    for (const auto& [score, p] : {std::pair("l1", 1), std::pair("l2", 2)}) {
        const Scored scored(toy::residual(), raw(score));
        const auto first = scored.tensor("first.weight"), second = scored.tensor("second.weight"),
                   last = scored.tensor("last.weight");
        expect_values(scored.of("first"), per_channel(6, [&, p = p](int64_t c) {
                          return (slice(first, 0, c, p) + slice(second, 0, c, p) + slice(second, 1, c, p) +
                                  slice(last, 1, c, p)) /
                                 4;
                      }));
    }
}

TEST(WeightScores, OfAFlattenedChannelSumItsColumnsAndSkipTheDepthwiseLayer) {
    const Scored scored(toy::classifier(), raw("l2"));
    const auto hidden = scored.tensor("hidden.weight");
    expect_values(scored.of("conv"), per_channel(5, [&](int64_t c) {
                      double sum = slice(scored.tensor("conv.weight"), 0, c, 2) +
                                   slice(scored.tensor("norm.weight"), 0, c, 2);
                      for (int64_t i = 32 * c; i < 32 * (c + 1); ++i) sum += slice(hidden, 1, i, 2);
                      return sum / 3;
                  }));
    expect_values(scored.of("hidden"), per_channel(7, [&](int64_t c) {
                      return (slice(hidden, 0, c, 2) + slice(scored.tensor("last.weight"), 1, c, 2)) / 2;
                  }));
}

TEST(WeightScores, OfGroupedConvolutionsAverageOverTheirGroups) {
    const Scored scored(toy::assorted(), raw("l2"));
    const auto conv = scored.tensor("conv.weight"), grouped = scored.tensor("grouped.weight"),
               up = scored.tensor("up.weight"), table = scored.tensor("table");
    // Positions c and c + 4, each read by column c of its own half of the grouped convolution's rows.
    expect_values(scored.of("conv"), per_channel(4, [&](int64_t c) {
                      const double at_c = slice(conv, 0, c, 2) + slice(grouped, 1, c, 2);
                      const double at_c_plus_4 = slice(conv, 0, c + 4, 2) + slice(grouped, 1, c, 2);
                      return (at_c + at_c_plus_4) / 2 / 2;
                  }));
    expect_values(scored.of("grouped"), per_channel(3, [&](int64_t c) {
                      return (slice(grouped, 0, c, 2) + slice(grouped, 0, c + 3, 2) + slice(up, 0, c, 2) +
                              slice(up, 0, c + 3, 2)) /
                             2 / 2;
                  }));
    // Transposed convolution and transposed matrix; the gate is no layer.
    expect_values(scored.of("up"), per_channel(4, [&](int64_t c) {
                      return (slice(up, 1, c, 2) + slice(table, 1, c, 2)) / 2;
                  }));
}

TEST(WeightScores, ReduceOverMembersAsAsked) {
    const Scored sum(toy::concatenation(), raw("l1", "sum"));
    const Scored max(toy::concatenation(), raw("l1", "max"));
    const Scored first(toy::concatenation(), raw("l1", "first"));
    const auto own = [&](int64_t c) { return slice(sum.tensor("right.weight"), 0, c, 1); };
    const auto read = [&](int64_t c) { return slice(sum.tensor("last.weight"), 1, 4 + c, 1); };
    expect_values(sum.of("right"), per_channel(5, [&](int64_t c) { return own(c) + read(c); }));
    expect_values(max.of("right"), per_channel(5, [&](int64_t c) { return std::max(own(c), read(c)); }));
    expect_values(first.of("right"), per_channel(5, own));
}

TEST(WeightScores, AreDividedAsAsked) {
    expect_values(torch::tensor(normalised({1, 2, 5}, ScoreNormaliser::mean), torch::kFloat64),
                  {0.375, 0.75, 1.875});
    expect_values(torch::tensor(normalised({1, 2, 5}, ScoreNormaliser::sum), torch::kFloat64),
                  {0.125, 0.25, 0.625});
    expect_values(torch::tensor(normalised({1, 2, 5}, ScoreNormaliser::max), torch::kFloat64), {0.2, 0.4, 1});
    EXPECT_EQ(normalised({0, 0}, ScoreNormaliser::mean), (Values{0, 0}));
}

TEST(WeightScores, LampDividesByAllThatIsNotSmaller) {
    EXPECT_EQ(normalised({4, 1, 3}, ScoreNormaliser::lamp), (Values{1, 0.125, 3.0 / 7}));
    EXPECT_EQ(normalised({2, 2}, ScoreNormaliser::lamp), (Values{0.5, 1}));
    EXPECT_EQ(normalised({0, 0, 0}, ScoreNormaliser::lamp), (Values{0, 0, 1}));
    const auto lamp = Scored(toy::residual(), "lamp").of("first");
    const auto l2 = Scored(toy::residual(), "l2").of("first");
    EXPECT_EQ(lamp.max().item<double>(), 1.0);
    EXPECT_TRUE(torch::equal(lamp.argsort(), l2.argsort()));
}

TEST(WeightScores, BnScaleAsksBatchNormsAndReportsGroupsWithout) {
    const Scored scored(toy::classifier(), raw("bn_scale"));
    expect_values(scored.of("conv"), per_channel(5, [&](int64_t c) {
                      return std::fabs(scored.tensor("norm.weight")[c].item<double>());
                  }));
    EXPECT_TRUE(torch::equal(scored.of("hidden"), Scored(toy::classifier(), raw("l2")).of("hidden")));
    ASSERT_EQ(scored.result().notes.size(), 1U);
    EXPECT_NE(scored.result().notes[0].find("group hidden"), std::string::npos);
    EXPECT_THROW(Scored(toy::classifier(), "bn_scale:replace_missing=false"), Error);
}

/// All indices of one dimension, one per channel.
Member whole(const std::string& tensor, int64_t dim, int64_t size, Role role, const char* op,
             int64_t argument) {
    Member member{tensor, dim, role, false, 1, {}, op, argument};
    for (int64_t i = 0; i < size; ++i) member.indices.push_back(i);
    return member;
}

/// Two groups as a trace of embed (linear 3 -> 6), norm (layer norm), projection (5 x 6), block.out_proj (5
/// -> 2) has them.
struct Projected {
    explicit Projected(const std::string& projection) {
        const std::vector<std::pair<std::string, std::vector<int64_t>>> shapes = {
            {"embed.weight", {6, 3}}, {"embed.bias", {6}},  {"norm.weight", {6}},
            {"norm.bias", {6}},       {projection, {5, 6}}, {"block.out_proj.weight", {2, 5}}};
        for (const auto& [name, shape] : shapes) {
            tensors[name] = toy::uniform(shape, graph.values.size() + 1);
            graph.stored.push_back({name, graph.values.size(), false});
            graph.values.push_back({true, shape, torch::kFloat64});
        }
        const auto make = [](std::string name, int64_t channels, std::vector<Member> members) {
            return Group{std::move(name), channels, std::move(members), {}, false, ""};
        };
        groups = {make("embed", 6,
                       {whole("embed.weight", 0, 6, Role::output, "aten::linear", 1),
                        whole("embed.bias", 0, 6, Role::output, "aten::linear", 2),
                        whole("norm.weight", 0, 6, Role::channelwise, "aten::layer_norm", 2),
                        whole("norm.bias", 0, 6, Role::channelwise, "aten::layer_norm", 3),
                        whole(projection, 1, 6, Role::input, "aten::linear", 1)}),
                  make("block", 5,
                       {whole(projection, 0, 5, Role::output, "aten::linear", 1),
                        whole("block.out_proj.weight", 1, 5, Role::input, "aten::linear", 1)})};
    }
    std::vector<torch::Tensor> scores() const {
        return scores_without_data(*criteria().make(raw("l2")), graph, groups, tensors).scores;
    }
    TracedGraph graph;
    std::vector<Group> groups;
    StoredTensors tensors;
};

TEST(WeightScores, CountLayerNormsAndLeaveAttentionModulesOut) {
    Projected plain("block.matrix"), attention("block.in_proj_weight");
    const auto own = [&](int64_t c) {
        return slice(plain.tensors["embed.weight"], 0, c, 2) + slice(plain.tensors["norm.weight"], 0, c, 2);
    };
    expect_values(plain.scores()[0], per_channel(6, [&](int64_t c) {
                      return (own(c) + slice(plain.tensors["block.matrix"], 1, c, 2)) / 3;
                  }));
    expect_values(attention.scores()[0], per_channel(6, [&](int64_t c) { return own(c) / 2; }));
    // Nothing else produces or reads the other five, so all their parameters count after all.
    const auto projection = plain.tensors["block.matrix"], out = plain.tensors["block.out_proj.weight"];
    for (const auto* network : {&plain, &attention})
        expect_values(network->scores()[1], per_channel(5, [&](int64_t c) {
                          return (slice(projection, 0, c, 2) + slice(out, 1, c, 2)) / 2;
                      }));
}

TEST(WeightScores, FollowAPermutationOfTheChannels) {
    const torch::NoGradGuard no_grad;
    const auto network = toy::residual();
    const auto order = torch::tensor({3, 0, 5, 1, 4, 2});
    for (const char* score : {"l1", "l2", "lamp", "fpgm"}) {
        const auto before = Scored(network, score).of("first");
        for (auto& item : network.module->named_parameters()) {
            auto& w = item.value();
            if (item.key() != "last.weight" && item.key() != "last.bias") w.copy_(w.index_select(0, order));
            if (item.key() == "second.weight" || item.key() == "last.weight")
                w.copy_(w.index_select(1, order));
        }
        EXPECT_LT(toy::relative_difference(Scored(network, score).of("first"), before.index_select(0, order)),
                  1e-12);
    }
}

TEST(WeightScores, ScaleWithTheWeightsUnlessNormalised) {
    const torch::NoGradGuard no_grad;
    const auto network = toy::residual();
    const Scored l1(network, raw("l1")), l2(network, raw("l2")), mean(network);
    for (auto& parameter : network.module->parameters()) parameter.mul_(3.0);
    EXPECT_LT(toy::relative_difference(Scored(network, raw("l1")).of("first"), 3 * l1.of("first")), 1e-12);
    EXPECT_LT(toy::relative_difference(Scored(network, raw("l2")).of("first"), 9 * l2.of("first")), 1e-12);
    EXPECT_LT(toy::relative_difference(Scored(network).of("first"), mean.of("first")), 1e-12);
    EXPECT_NEAR(mean.of("first").mean().item<double>(), 1.0, 1e-12);
}

TEST(WeightScores, FpgmIsLowestForTheMeanOfTheOthers) {
    const torch::NoGradGuard no_grad;
    const auto network = toy::residual();
    auto weight = network.module->named_parameters()["first.weight"];
    weight[4].copy_((weight.sum(0) - weight[4]) / 5);
    const auto scores = Scored(network, raw("fpgm", "first")).of("first");
    EXPECT_EQ(scores.argmin().item<int64_t>(), 4);
    expect_values(scores, per_channel(6, [&](int64_t c) {
                      double sum = 0;
                      for (int64_t k = 0; k < 6; ++k) sum += (weight[c] - weight[k]).norm().item<double>();
                      return sum;
                  }));
}

TEST(WeightScores, FpgmOfSquaresCannotTellAFilterFromItsNegative) {
    const auto filters = torch::tensor({1.0, 2.0, -1.0, -2.0}, torch::kFloat64).view({2, 2});
    const Member member{"w", 0, Role::output, false, 1, {0, 1}, "aten::linear", 1};
    EXPECT_EQ(filter_distances(member, filters, true), (Values{0, 0}));
    EXPECT_NEAR(filter_distances(member, filters, false)[0], std::sqrt(20.0), 1e-12);
}

/// Blocks that are not full, filters that are near each other or the same, in both precisions.
TEST(WeightScores, FpgmOfManyFiltersIsExactToRounding) {
    auto filters =
        torch::empty({300, 40}, torch::kFloat64).normal_(1.0, 1.0, at::detail::createCPUGenerator(3));
    filters[7].copy_(filters[290]);
    filters[150].copy_(filters[20] * (1 + 1e-6));
    filters.slice(0, 200, 210).copy_(filters[200] + 1e-3 * filters.slice(0, 200, 210));
    filters[33].zero_();
    filters[34].zero_();
    const auto expect_sums = [](const torch::Tensor& all, double tolerance) {
        const auto rows = all.to(torch::kFloat64);
        const auto sums = distance_sums(all);
        for (int64_t i = 0; i < rows.size(0); ++i)
            EXPECT_NEAR(sums[i] / (rows - rows[i]).norm(2, 1).sum().item<double>(), 1, tolerance) << i;
    };
    expect_sums(filters, 1e-13);
    expect_sums(filters.to(torch::kFloat32), 1e-6);
    // All near one another, far from 0.
    expect_sums((1e3 + filters).to(torch::kFloat32), 1e-6);
    EXPECT_EQ(distance_sums(torch::ones({130, 3})), Values(130, 0.0));
}

TEST(WeightScores, AtRandomDependOnSeedAndGroupAlone) {
    const auto a = Scored(toy::classifier(), "random"), b = Scored(toy::classifier(), "random");
    EXPECT_TRUE(torch::equal(a.of("conv"), b.of("conv")));
    EXPECT_FALSE(torch::equal(a.of("conv"), a.of("hidden").slice(0, 0, 5)));
    EXPECT_FALSE(torch::equal(a.of("conv"), Scored(toy::classifier(), "random:seed=1").of("conv")));
    EXPECT_TRUE(((a.of("conv") >= 0) & (a.of("conv") < 1)).all().item<bool>());
}

TEST(WeightScores, OfFrozenGroupsAreEmpty) {
    EXPECT_EQ(Scored(toy::classifier()).of("last").numel(), 0);
}

TEST(WeightScores, NameWhatIsWrong) {
    const torch::NoGradGuard no_grad;
    const auto network = toy::classifier();
    const auto coupling = toy::couple(network);
    auto tensors = stored_tensors(*network.module);
    const auto message = [&] {
        try {
            scores_without_data(*criteria().make("l2"), coupling.graph, coupling.groups, tensors);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    tensors["hidden.weight"] = tensors["hidden.weight"].slice(1, 0, 100);
    EXPECT_NE(message().find("hidden.weight"), std::string::npos);
    tensors.erase("hidden.weight");
    EXPECT_NE(message().find("hidden.weight"), std::string::npos);
    tensors = stored_tensors(*network.module);
    tensors["conv.weight"][3][0][1][1] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_NE(message().find("group conv channel 3"), std::string::npos) << message();
    EXPECT_NE(message().find("NaN"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::weight_scores_test
