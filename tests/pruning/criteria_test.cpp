// Properties that every registered criterion must have, and closed forms of each.
#include <gtest/gtest.h>

#include "base/error.h"
#include "pruning/criteria/cosprune.h"
#include "pruning/criteria/taylor.h"

namespace mtlprune::criteria_test {
namespace {

constexpr int64_t kTasks = 3;

torch::Tensor random_tensor(std::vector<int64_t> shape, uint64_t key) {
    auto generator = at::detail::createCPUGenerator(key);
    return torch::empty(shape, torch::kDouble).normal_(0.0, 1.0, generator);
}

GroupObservation random_group(int64_t channels, uint64_t key) {
    Producer producer;
    producer.weight = random_tensor({channels, 4, 3, 3}, key);
    producer.bias = random_tensor({channels}, key + 1);
    for (int64_t t = 0; t < kTasks; ++t) {
        producer.weight_gradients.push_back(random_tensor({channels, 4, 3, 3}, key + 10 + t));
        producer.bias_gradients.push_back(random_tensor({channels}, key + 20 + t));
    }
    producer.weight_gradient = torch::stack(producer.weight_gradients).sum(0);
    producer.bias_gradient = torch::stack(producer.bias_gradients).sum(0);
    return {"group", {producer}, random_tensor({channels}, key + 30)};
}

GroupObservation permuted(GroupObservation group, const torch::Tensor& order) {
    for (auto& producer : group.producers) {
        for (auto* tensor :
             {&producer.weight, &producer.bias, &producer.weight_gradient, &producer.bias_gradient})
            *tensor = tensor->index_select(0, order);
        for (auto* list : {&producer.weight_gradients, &producer.bias_gradients})
            for (auto& gradient : *list) gradient = gradient.index_select(0, order);
    }
    group.gate_gradient = group.gate_gradient.index_select(0, order);
    return group;
}

class EveryCriterion : public testing::TestWithParam<std::tuple<std::string, Fidelity>> {
  protected:
    static std::unique_ptr<Criterion> make() {
        return make_criterion(std::get<0>(GetParam()), std::get<1>(GetParam()));
    }
    static void observe(Criterion& criterion, const std::vector<GroupObservation>& groups) {
        criterion.observe(groups);
        std::vector<torch::Tensor> gates;
        for (const auto& group : groups) gates.push_back(group.gate_gradient);
        criterion.observe_update(gates);
    }
};

TEST_P(EveryCriterion, PermutesWithTheChannels) {
    const auto order = torch::tensor({4, 2, 0, 3, 1});
    auto plain = make(), shuffled = make();
    for (uint64_t step = 0; step < 3; ++step) {
        observe(*plain, {random_group(5, 100 * step)});
        observe(*shuffled, {permuted(random_group(5, 100 * step), order)});
    }
    EXPECT_TRUE(
        torch::allclose(plain->scores()[0].index_select(0, order), shuffled->scores()[0], 1e-12, 1e-14));
}

TEST_P(EveryCriterion, IsDeterministicAndDouble) {
    auto a = make(), b = make();
    observe(*a, {random_group(6, 1), random_group(3, 2)});
    observe(*b, {random_group(6, 1), random_group(3, 2)});
    ASSERT_EQ(a->scores().size(), 2U);
    for (size_t g = 0; g < 2; ++g) {
        EXPECT_TRUE(torch::equal(a->scores()[g], b->scores()[g]));
        EXPECT_EQ(a->scores()[g].scalar_type(), torch::kDouble);
    }
}

TEST_P(EveryCriterion, StateSurvivesACheckpoint) {
    auto kept = make(), restored = make();
    observe(*kept, {random_group(6, 1)});
    restored->load_state(kept->state());
    observe(*kept, {random_group(6, 50)});
    observe(*restored, {random_group(6, 50)});
    EXPECT_TRUE(torch::equal(kept->scores()[0], restored->scores()[0]));
}

TEST_P(EveryCriterion, FollowsPhysicalRemoval) {
    const auto keep = torch::tensor({0, 2, 5});
    auto removed = make(), masked = make();
    for (auto* criterion : {removed.get(), masked.get()}) observe(*criterion, {random_group(6, 1)});
    removed->after_event({keep});
    masked->after_event({});
    observe(*removed, {permuted(random_group(6, 70), keep)});
    observe(*masked, {random_group(6, 70)});
    EXPECT_TRUE(
        torch::allclose(removed->scores()[0], masked->scores()[0].index_select(0, keep), 1e-12, 1e-14));
}

TEST_P(EveryCriterion, HasNoScoresWithoutObservations) {
    EXPECT_THROW(make()->scores(), Error);
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryCriterion,
                         testing::Combine(testing::Values("taylor", "cosprune"),
                                          testing::Values(Fidelity::corrected, Fidelity::as_released)),
                         [](const auto& info) {
                             return std::get<0>(info.param) + (std::get<1>(info.param) == Fidelity::corrected
                                                                   ? "_corrected"
                                                                   : "_as_released");
                         });

TEST(EveryCriterion, IsListedUnderTheNameThatMakesIt) {
    ASSERT_FALSE(list_criteria().empty());
    for (const auto& description : list_criteria())
        EXPECT_EQ(make_criterion(description.name)->name(), description.name);
    try {
        make_criterion("tailor");
        FAIL() << "an unknown criterion was accepted";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("did you mean 'taylor'"), std::string::npos) << error.what();
    }
}

TEST(Taylor, GateGradientEqualsThatOfAnExplicitGate) {
    auto conv = torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 5, 3).padding(1));
    conv->to(torch::kDouble);
    const auto gate = torch::ones({5}, torch::kDouble).requires_grad_(true);
    const auto x = random_tensor({2, 3, 8, 8}, 4), head = random_tensor({2, 5, 4, 4}, 5);
    const auto y = torch::max_pool2d(torch::relu(conv->forward(x)), 2) * gate.view({1, -1, 1, 1});
    ((y * head).sum() + (y * y).sum()).backward();
    Producer producer;
    producer.weight = conv->weight.detach();
    producer.bias = conv->bias.detach();
    producer.weight_gradient = conv->weight.grad();
    producer.bias_gradient = conv->bias.grad();
    EXPECT_TRUE(torch::allclose(gate_gradient({"g", {producer}, {}}), gate.grad(), 1e-10, 1e-12));
}

TEST(Taylor, AccumulatesAsDocumentedInBothFidelities) {
    // n identical batches: corrected = g^2; as released = g^2 mean_k (3k - 1)^2, k = 1..n.
    const auto group = random_group(4, 9);
    TaylorCriterion corrected, released(TaylorOptions::of(Fidelity::as_released));
    double factor = 0.0;
    for (int k = 1; k <= 4; ++k) {
        corrected.observe({group});
        released.observe({group});
        released.observe_update({group.gate_gradient});
        factor += std::pow(3.0 * k - 1.0, 2) / 4.0;
    }
    EXPECT_TRUE(torch::allclose(corrected.scores()[0], gate_gradient(group).square(), 1e-12));
    EXPECT_TRUE(torch::allclose(released.scores()[0], group.gate_gradient.square() * factor, 1e-12));
}

TEST(Taylor, DoublingTheLossQuadruplesTheScores) {
    auto group = random_group(4, 9);
    TaylorCriterion once, twice;
    once.observe({group});
    group.producers[0].weight_gradient = group.producers[0].weight_gradient * 2;
    group.producers[0].bias_gradient = group.producers[0].bias_gradient * 2;
    twice.observe({group});
    EXPECT_TRUE(torch::allclose(twice.scores()[0], 4.0 * once.scores()[0], 1e-12));
}

torch::Tensor cosine_of(const std::vector<torch::Tensor>& gradients) {
    return mean_pairwise_cosine(task_gram(gradients));
}

TEST(CosPrune, ClosedFormForThreeDirections) {
    const auto at = [](double x, double y) { return torch::tensor({{x, y}}, torch::kDouble); };
    EXPECT_NEAR(cosine_of({at(1, 0), at(0, 1), at(-1, 0)}).item<double>(), -1.0 / 3.0, 1e-15);
    EXPECT_NEAR(cosine_of({at(2, 1), at(2, 1), at(2, 1)}).item<double>(), 1.0, 1e-15);
    EXPECT_NEAR(cosine_of({at(2, 1), at(-4, -2)}).item<double>(), -1.0, 1e-15);
}

TEST(CosPrune, IgnoresThePositiveScaleOfEveryTask) {
    const auto a = random_tensor({5, 3, 3, 3}, 1), b = random_tensor({5, 3, 3, 3}, 2),
               c = random_tensor({5, 3, 3, 3}, 3);
    EXPECT_TRUE(torch::allclose(cosine_of({a, b, c}), cosine_of({a * 1e-12, b * 7, c * 1e9}), 1e-12, 1e-14));
}

TEST(CosPrune, AZeroGradientGivesZero) {
    const auto a = random_tensor({2, 9}, 1);
    EXPECT_EQ(cosine_of({a, torch::zeros_like(a)}).abs().max().item<double>(), 0.0);
}

TEST(CosPrune, ChannelsLastGradientsGiveTheSameCosines) {
    const auto a = random_tensor({6, 5, 3, 3}, 1), b = random_tensor({6, 5, 3, 3}, 2);
    const auto last = torch::MemoryFormat::ChannelsLast;
    EXPECT_TRUE(
        torch::allclose(cosine_of({a, b}), cosine_of({a.contiguous(last), b.contiguous(last)}), 1e-13));
    EXPECT_TRUE(torch::allclose(cosine_of({a, b}), cosine_of({a.contiguous(last), b}), 1e-13))
        << "mixed layouts";
}

TEST(CosPrune, NeedsTwoTasks) {
    auto group = random_group(3, 1);
    group.producers[0].weight_gradients.resize(1);
    CosPruneCriterion criterion;
    EXPECT_THROW(criterion.observe({group}), Error);
}

}  // namespace
}  // namespace mtlprune::criteria_test
