// Ablations of CosPrune: the order, averages, pairs of tasks, gradients that are zero.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "pruning/evidence/task_cosines.h"
#include "tests/pruning/two_tasks.h"

namespace mtlprune::cosprune_forms_test {
namespace {

using two_tasks::Subject;

const std::vector<std::string> kForms = {"reversed", "of_averages", "pair=[0,1]", "zero_gradient=first",
                                         "zero_gradient=left_out"};

/// The sign with which a cosine enters.
double sign_of(const std::string& form) {
    return form == "reversed" ? -1 : 1;
}

std::unique_ptr<Subject> subject_of(const std::string& form) {
    return std::make_unique<Subject>(criteria().make(form.empty() ? "cosprune" : "cosprune:" + form));
}

/// Two tasks and the mean of the second's predictions.
std::vector<torch::Tensor> three_losses(Subject& subject, uint64_t key) {
    auto losses = subject.model->losses(key);
    losses.push_back(subject.model->forward(two_tasks::normal_noise({2, 3, 6, 6}, key))[1].mean());
    return losses;
}

double cosine(const torch::Tensor& a, const torch::Tensor& b) {
    double product = 0, first = 0, second = 0;
    for (int64_t k = 0; k < a.numel(); ++k) {
        const double x = a.flatten()[k].item<double>(), y = b.flatten()[k].item<double>();
        product += x * y;
        first += x * x;
        second += y * y;
    }
    return product / std::sqrt(first * second);
}

TEST(CosPruneForms, IgnoreThePositiveScaleOfEveryTaskAndFlipWithItsSign) {
    for (const auto& form : kForms) {
        const auto plain = subject_of(form), scaled = subject_of(form), negated = subject_of(form);
        plain->observe(1);
        auto losses = scaled->model->losses(1);
        scaled->observe_losses({losses[0] * 1e-6, losses[1] * 1e3});
        losses = negated->model->losses(1);
        negated->observe_losses({losses[0], -losses[1]});
        for (const size_t g : plain->pruner.asked()) {
            EXPECT_TRUE(torch::allclose(plain->scores()[g], scaled->scores()[g], 1e-9)) << form;
            EXPECT_TRUE(torch::allclose(plain->scores()[g], -negated->scores()[g], 1e-9)) << form;
            EXPECT_GT(plain->scores()[g].abs().max().item<double>(), 1e-3);
        }
    }
}

TEST(CosPruneForms, OfEqualTasksAreOneAndOfOppositeOnesMinusOne) {
    for (const auto& form : kForms)
        for (const double factor : {1.0, -2.0}) {
            const auto subject = subject_of(form);
            const auto loss = subject->model->losses(1)[0];
            subject->observe_losses({loss, loss * factor});
            const double expected = sign_of(form) * (factor > 0 ? 1 : -1);
            for (const size_t g : subject->pruner.asked())
                EXPECT_LT((subject->scores()[g] - expected).abs().max().item<double>(), 1e-9) << form;
        }
}

TEST(CosPruneForms, ReversedIsTheOppositeOrder) {
    const auto plain = subject_of(""), reversed = subject_of("reversed");
    plain->observe_losses(three_losses(*plain, 1));
    reversed->observe_losses(three_losses(*reversed, 1));
    for (const size_t g : plain->pruner.asked())
        EXPECT_TRUE(torch::equal(plain->scores()[g], -reversed->scores()[g]));
}

TEST(CosPruneForms, CosinesOfAveragedGradientsOrAveragesOfCosines) {
    const auto of_averages = subject_of("of_averages"), averages = subject_of("");
    std::vector<std::vector<torch::Tensor>> observed;
    for (const uint64_t key : {1, 30}) {
        const auto evidence = averages->evidence(averages->model->losses(key));
        observed.push_back(evidence.task_gradients.at("first.weight"));
        averages->pruner.criterion().observe(evidence);
        of_averages->pruner.criterion().observe(evidence);
    }
    for (int64_t c = 0; c < 6; ++c) {
        const auto of = [&](size_t batch, size_t task) { return observed[batch][task][c]; };
        EXPECT_NEAR(of_averages->scores()[0][c].item<double>(),
                    cosine(of(0, 0) + of(1, 0), of(0, 1) + of(1, 1)), 1e-9);
        EXPECT_NEAR(averages->scores()[0][c].item<double>(),
                    (cosine(of(0, 0), of(0, 1)) + cosine(of(1, 0), of(1, 1))) / 2, 1e-9);
    }
    EXPECT_FALSE(torch::allclose(averages->scores()[0], of_averages->scores()[0], 1e-3));
}

TEST(CosPruneForms, OnePairOfThreeTasksIsThatOfTwo) {
    for (const char* pair : {"pair=[0,2]", "pair=[2,0]"}) {
        const auto three = subject_of(pair), two = subject_of("");
        three->observe_losses(three_losses(*three, 1));
        const auto losses = three_losses(*two, 1);
        two->observe_losses({losses[0], losses[2]});
        for (const size_t g : two->pruner.asked())
            EXPECT_TRUE(torch::allclose(three->scores()[g], two->scores()[g], 1e-12)) << pair;
    }
}

TEST(CosPruneForms, RefuseWhatIsNoPair) {
    for (const char* pair : {"pair=[1]", "pair=[1,1]", "pair=[0,-1]", "pair=[0,1,2]", "pair=[0,\"a\"]"})
        EXPECT_THROW(subject_of(pair), Error) << pair;
    EXPECT_THROW(subject_of("pair=[0,2]")->observe(1), Error) << "two tasks only";
}

/// Channel 2 of the second layer reaches the right task alone.
std::unique_ptr<Subject> with_a_zero_gradient(const std::string& form, size_t tasks) {
    auto subject = subject_of(form);
    {
        const torch::NoGradGuard no_grad;
        subject->model->left->weight.select(1, 2).zero_();
    }
    auto losses = three_losses(*subject, 1);
    losses.resize(tasks);
    subject->observe_losses(losses);
    return subject;
}

TEST(CosPruneForms, AZeroGradientIsNeutralOrFirstOrLeftOut) {
    const auto score = [](const std::string& form, size_t tasks) {
        return with_a_zero_gradient(form, tasks)->scores()[1][2].item<double>();
    };
    EXPECT_EQ(score("", 2), 0.0);
    EXPECT_EQ(score("zero_gradient=left_out", 2), 0.0) << "no pair is left";
    EXPECT_EQ(score("zero_gradient=first", 2), -1.0);
    EXPECT_EQ(score("zero_gradient=first,reversed", 2), -1.0) << "whatever else leaves first";
    // Of three pairs two have a gradient of the left task.
    const double only = score("pair=[1,2]", 3);
    EXPECT_GT(std::abs(only), 1e-3);
    EXPECT_NEAR(score("", 3), only / 3, 1e-12);
    EXPECT_NEAR(score("zero_gradient=first", 3), (only - 2) / 3, 1e-12);
    EXPECT_NEAR(score("zero_gradient=left_out", 3), only, 1e-12);
    const auto plain = with_a_zero_gradient("", 3)->scores(),
               left_out = with_a_zero_gradient("zero_gradient=left_out", 3)->scores();
    EXPECT_TRUE(torch::allclose(plain[0], left_out[0], 1e-12)) << "where all tasks have gradients";
}

}  // namespace
}  // namespace mtlprune::cosprune_forms_test
