// Task weightings: properties, and values calculated by hand in double precision.
#include "training/weighting/task_weighting.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "tests/training/tiny_training.h"

namespace mtlprune::task_weighting_test {
namespace {

const std::vector<TaskSpec> kTasks = nyuv2_tasks(5);
constexpr double kExact = 1e-12;

WeightingContext context() {
    return {.tasks = kTasks,
            .optimizer = {.kind = OptimizerKind::sgd, .lr = 0.25, .weight_decay = 0.5, .momentum = 0.0},
            .seed = 11,
            .options = torch::TensorOptions(torch::kDouble),
            .dimensions = {2, 2, 1}};
}

std::unique_ptr<TaskWeighting> make(const std::string& text) {
    return task_weightings().make(text, context());
}

torch::Tensor row(const std::vector<double>& values) {
    return torch::tensor(values, torch::kDouble);
}

std::vector<double> numbers(const torch::Tensor& tensor) {
    const auto plain = tensor.to(torch::kDouble).contiguous();
    return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}

void expect_numbers(const torch::Tensor& found, const std::vector<double>& expected) {
    const auto values = numbers(found);
    ASSERT_EQ(values.size(), expected.size());
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], kExact) << i;
}

/// Three lists of three tensors of noise.
TaskLists some_gradients(uint64_t key) {
    TaskLists lists;
    for (uint64_t t = 0; t < 3; ++t)
        lists.push_back({noise({3, 4}, key + 10 * t, torch::kDouble),
                         noise({2, 3}, key + 10 * t + 1, torch::kDouble),
                         noise({5}, key + 10 * t + 2, torch::kDouble)});
    return lists;
}

torch::Tensor flat(const std::vector<torch::Tensor>& list) {
    std::vector<torch::Tensor> parts;
    for (const auto& tensor : list) parts.push_back(tensor.flatten());
    return torch::cat(parts);
}

void learn(TaskWeighting& weighting, const torch::Tensor& losses, const TaskLists& gradients = {},
           int64_t iteration = 0) {
    weighting.learn({iteration, 0.25, losses, gradients});
}

TEST(FixedWeighting, IsThePlainSumUnlessFactorsAreGiven) {
    EXPECT_FALSE(make("fixed")->weights().defined());
    expect_numbers(make("fixed:weights=[1,0.5,3]")->weights(), {1, 0.5, 3});
    EXPECT_THROW(make("fixed:weights=[1,2]"), Error);
}

TEST(WeightedSum, CountsUndefinedAsZeros) {
    const TaskLists lists = {{torch::ones(2), torch::Tensor()}, {torch::Tensor(), torch::full({1}, 3.0)}};
    const auto sum = weighted_sum(lists, row({2, 10}));
    EXPECT_TRUE(sum[0].equal(torch::full({2}, 2.0)));
    EXPECT_TRUE(sum[1].equal(torch::full({1}, 30.0)));
    EXPECT_TRUE(weighted_sum(lists, {})[1].equal(torch::full({1}, 3.0)));
}

/// The factors as TaskGradients applies them, against the gradient of the weighted loss.
TEST(WeightedGradients, AreThoseOfTheWeightedLoss) {
    const auto model = tiny_model(0.0, torch::kDouble);
    const auto batch = random_batch(1, 8, torch::kDouble);
    TaskGradients gradients(*model, batch);
    gradients.set_weights(row({0.5, 2.0, 3.0}));
    gradients.store(gradients.shared_total());
    std::vector<torch::Tensor> stored;
    for (const auto& parameter : model->parameters()) stored.push_back(parameter.grad().clone());
    const auto losses = task_losses(model->tasks(), model->forward(batch.image), batch.targets);
    const auto expected =
        torch::autograd::grad({0.5 * losses[0] + 2.0 * losses[1] + 3.0 * losses[2]}, model->parameters());
    for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_LE((stored[i] - expected[i]).abs().max().item<double>(), kExact) << i;
    TaskLists per_task;
    for (size_t t = 0; t < 3; ++t) per_task.push_back(gradients.shared(t));
    const auto total = gradients.shared_total(), sum = weighted_sum(per_task, row({0.5, 2.0, 3.0}));
    for (size_t i = 0; i < total.size(); ++i)
        EXPECT_LE((total[i] - sum[i]).abs().max().item<double>(), kExact) << i;
}

/// L exp(-s) + s / 2 for classes, L exp(-s) / 2 + s / 2 for numbers.
double uncertain_loss(const std::vector<double>& s, const std::vector<double>& losses) {
    double sum = 0.0;
    for (size_t t = 0; t < s.size(); ++t)
        sum += (t == 0 ? 1.0 : 0.5) * losses[t] * std::exp(-s[t]) + s[t] / 2.0;
    return sum;
}

TEST(UncertaintyWeighting, FollowsTheFiniteDifferencesOfItsLoss) {
    const auto weighting = make("uncertainty");
    std::vector<double> s = {0, 0, 0};
    for (int step = 0; step < 5; ++step) {
        const std::vector<double> losses = {2.0 + step, 0.3, 0.05 * step};
        expect_numbers(weighting->weights(), {std::exp(-s[0]), 0.5 * std::exp(-s[1]), 0.5 * std::exp(-s[2])});
        learn(*weighting, row(losses));
        const auto before = s;
        const auto after = numbers(weighting->state().at("log_variances"));
        for (size_t t = 0; t < 3; ++t) {
            auto above = before, below = before;
            above[t] += 1e-6;
            below[t] -= 1e-6;
            const double slope = (uncertain_loss(above, losses) - uncertain_loss(below, losses)) / 2e-6;
            EXPECT_NEAR((before[t] - after[t]) / 0.25, slope, 1e-8);  // the rate is 0.25, without decay
        }
        s = after;
    }
    EXPECT_GT(s[0], 0.0) << "a large loss gets a large variance";
    EXPECT_LT(s[2], 0.0);
}

/// The variance of a loss that stays the same settles at 2 L (classes) or L (numbers).
TEST(UncertaintyWeighting, SettlesWhereItsLossIsLeast) {
    const auto weighting = make("uncertainty");
    for (int step = 0; step < 2000; ++step) learn(*weighting, row({2.0, 0.5, 3.0}));
    const auto s = numbers(weighting->state().at("log_variances"));
    EXPECT_NEAR(s[0], std::log(4.0), 1e-9);
    EXPECT_NEAR(s[1], std::log(0.5), 1e-9);
    EXPECT_NEAR(s[2], std::log(3.0), 1e-9);
}

TEST(DwaWeighting, IsItsFormula) {
    const auto weighting = make("dwa:every=2");
    const std::vector<std::vector<double>> epochs = {{4, 2, 1}, {2, 1.9, 1}, {1.9, 1.0, 1.5}};
    std::vector<std::vector<double>> expected = {{1, 1, 1}, {1, 1, 1}};
    for (size_t e = 1; e < epochs.size(); ++e) {
        std::vector<double> powers;
        for (size_t t = 0; t < 3; ++t) powers.push_back(std::exp(epochs[e][t] / epochs[e - 1][t] / 2.0));
        const double sum = std::accumulate(powers.begin(), powers.end(), 0.0);
        for (auto& power : powers) power *= 3.0 / sum;
        expected.push_back(powers);
    }
    for (size_t e = 0; e < epochs.size(); ++e) {
        expect_numbers(weighting->weights(), expected[e]);
        for (const double factor : {0.75, 1.25}) {
            learn(*weighting, row(epochs[e]) * factor);  // the mean counts
            if (factor < 1.0) expect_numbers(weighting->weights(), expected[e]);
        }
    }
    expect_numbers(weighting->weights(), expected.back());
    EXPECT_NEAR(weighting->weights().sum().item<double>(), 3.0, kExact);
}

TEST(DwaWeighting, FavoursWhatFallsSlowlyAndLessAtHighTemperatures) {
    const auto weights = [](const std::string& text) {
        const auto weighting = make(text);
        learn(*weighting, row({1, 1, 1}));
        learn(*weighting, row({0.2, 1.0, 0.6}));
        return numbers(weighting->weights());
    };
    const auto usual = weights("dwa:every=1"), hot = weights("dwa:every=1,temperature=50");
    EXPECT_LT(usual[0], usual[2]);
    EXPECT_LT(usual[2], usual[1]);
    EXPECT_LT(hot[1], usual[1]);
    EXPECT_NEAR(hot[1], 1.0, 0.02);
    EXPECT_THROW(make("dwa:every=0"), Error);
    EXPECT_THROW(make("dwa:temperature=0"), Error);
}

/// Algorithm 1 of GradNorm with Adam, in plain arithmetic.
class SlowGradNorm {
  public:
    std::vector<double> step(const std::vector<double>& losses, const std::vector<double>& norms,
                             double alpha) {
        if (first_.empty()) first_ = losses;
        ++steps_;
        std::vector<double> progress;
        for (size_t t = 0; t < 3; ++t) progress.push_back(losses[t] / first_[t]);
        const double mean_progress = (progress[0] + progress[1] + progress[2]) / 3;
        const double mean = (w_[0] * norms[0] + w_[1] * norms[1] + w_[2] * norms[2]) / 3;
        for (size_t t = 0; t < 3; ++t) {
            const double target = mean * std::pow(progress[t] / mean_progress, alpha);
            const double difference = w_[t] * norms[t] - target;
            slopes_[t] = norms[t] * (difference > 0 ? 1 : difference < 0 ? -1 : 0);
        }
        for (size_t t = 0; t < 3; ++t) {
            m_[t] = 0.9 * m_[t] + 0.1 * slopes_[t];
            v_[t] = 0.999 * v_[t] + 0.001 * slopes_[t] * slopes_[t];
            const double m = m_[t] / (1 - std::pow(0.9, steps_)), v = v_[t] / (1 - std::pow(0.999, steps_));
            w_[t] -= 0.025 * m / (std::sqrt(v) + 1e-8);
        }
        const double sum = w_[0] + w_[1] + w_[2];
        for (auto& w : w_) w *= 3 / sum;
        return w_;
    }

  private:
    std::vector<double> w_ = {1, 1, 1}, m_ = {0, 0, 0}, v_ = {0, 0, 0}, slopes_ = {0, 0, 0}, first_;
    int steps_ = 0;
};

TEST(GradNormWeighting, IsItsAlgorithm) {
    for (const std::string layer : {"last", "all"}) {
        const auto weighting = make("gradnorm:alpha=0.7,layer=" + layer);
        SlowGradNorm slow;
        for (int step = 0; step < 6; ++step) {
            auto gradients = some_gradients(100 * static_cast<uint64_t>(step));
            for (auto& tensor : gradients[1]) tensor = tensor * 5.0;
            std::vector<double> norms;
            for (const auto& list : gradients)  // the last one with two dimensions is the second
                norms.push_back((layer == "last" ? list[1].flatten() : flat(list)).norm().item<double>());
            const std::vector<double> losses = {3.0 - 0.2 * step, 1.0 + 0.1 * step, 0.5};
            learn(*weighting, row(losses), gradients, step);
            expect_numbers(weighting->weights(), slow.step(losses, norms, 0.7));
        }
    }
}

TEST(GradNormWeighting, WeightsSumToTheTasksAndOneThatPullsMoreWeighsLess) {
    const auto weighting = make("gradnorm");
    auto gradients = some_gradients(1);
    for (auto& tensor : gradients[0]) tensor = tensor * 20.0;
    for (int step = 0; step < 10; ++step) {
        learn(*weighting, row({1, 1, 1}), gradients, step);
        EXPECT_NEAR(weighting->weights().sum().item<double>(), 3.0, kExact);
    }
    const auto weights = numbers(weighting->weights());
    EXPECT_LT(weights[0], 1.0);
    EXPECT_GT(weights[1], 1.0);
    EXPECT_GT(weights[2], 1.0);
}

TEST(GradNormWeighting, OneThatLearnsSlowlyWeighsMore) {
    const auto weighting = make("gradnorm");
    TaskLists equal = some_gradients(1);
    equal[1] = equal[2] = equal[0];
    learn(*weighting, row({1, 1, 1}), equal);
    learn(*weighting, row({0.3, 1.0, 0.3}), equal, 1);
    const auto weights = numbers(weighting->weights());
    EXPECT_GT(weights[1], weights[0]);
    EXPECT_GT(weights[1], 1.0);
}

TEST(GradNormWeighting, FactorsStayPositive) {
    const auto weighting = make("gradnorm:lr=0.5");
    auto gradients = some_gradients(1);
    for (auto& tensor : gradients[0]) tensor = tensor * 1000.0;
    for (int step = 0; step < 50; ++step) {
        learn(*weighting, row({1, 1, 1}), gradients, step);
        for (const double weight : numbers(weighting->weights())) EXPECT_GT(weight, 0.0);
    }
}

/// Algorithm 1 of PCGrad on whole vectors, with the orders that are drawn.
torch::Tensor slow_pcgrad(const TaskLists& gradients, uint64_t seed, int64_t iteration) {
    torch::Tensor sum = torch::zeros_like(flat(gradients[0]));
    for (int64_t i = 0; i < 3; ++i) {
        auto projected = flat(gradients[static_cast<size_t>(i)]).clone();
        const Random random(seed, Stream::method, static_cast<uint64_t>(iteration),
                            (0x9c6adULL << 32) + static_cast<uint64_t>(i));
        for (const int64_t j : permutation(3, random)) {
            if (j == i) continue;
            const auto other = flat(gradients[static_cast<size_t>(j)]);
            const double product = projected.dot(other).item<double>();
            if (product < 0) projected -= other * (product / other.dot(other).item<double>());
        }
        sum += projected;
    }
    return sum;
}

torch::Tensor pcgrad(const TaskLists& gradients, int64_t iteration = 0) {
    const auto losses = row({1, 1, 1});
    return flat(make("pcgrad")->combine({iteration, 0.25, losses, gradients}));
}

TEST(PcGradWeighting, IsItsAlgorithm) {
    int conflicts = 0;
    for (uint64_t key = 0; key < 20; ++key) {
        const auto gradients = some_gradients(1000 * key);
        for (size_t i = 0; i < 3; ++i)
            for (size_t j = 0; j < i; ++j)
                conflicts += flat(gradients[i]).dot(flat(gradients[j])).item<double>() < 0;
        const auto expected = slow_pcgrad(gradients, 11, static_cast<int64_t>(key));
        EXPECT_LE((pcgrad(gradients, static_cast<int64_t>(key)) - expected).abs().max().item<double>(),
                  1e-12);
    }
    EXPECT_GT(conflicts, 10);
}

TEST(PcGradWeighting, OfTwoTasksConflictsWithNeitherAndIsTheSumWithoutConflict) {
    auto two = context();
    two.tasks.resize(2);
    const auto losses = row({1, 1});
    for (uint64_t key = 0; key < 20; ++key) {
        auto gradients = some_gradients(1000 * key);
        gradients.resize(2);
        const auto a = flat(gradients[0]), b = flat(gradients[1]);
        const auto found = flat(task_weightings().make("pcgrad", two)->combine({0, 0.25, losses, gradients}));
        if (a.dot(b).item<double>() >= 0) {
            EXPECT_TRUE(found.equal(a + b));
            continue;
        }
        EXPECT_GE(found.dot(a).item<double>(), -1e-12);
        EXPECT_GE(found.dot(b).item<double>(), -1e-12);
        EXPECT_FALSE(torch::allclose(found, a + b));
    }
}

TEST(PcGradWeighting, TakesTasksWithoutGradientsAndEqualOnes) {
    auto gradients = some_gradients(1);
    gradients[1] = gradients[0];
    gradients[2] = {torch::Tensor(), torch::zeros({2, 3}, torch::kDouble), torch::Tensor()};
    EXPECT_TRUE(torch::allclose(pcgrad(gradients), 2.0 * flat(gradients[0])));
    gradients[1] = {-gradients[0][0], -gradients[0][1], -gradients[0][2]};
    EXPECT_LE(pcgrad(gradients).abs().max().item<double>(), 1e-12);
}

/// Section by section what the released loop does, task by task.
class SlowAdapMtl {
  public:
    SlowAdapMtl(int start, size_t window, double total, double eps)
        : start_(start), window_(window), total_(total), eps_(eps) {}
    std::vector<double> step(const std::vector<double>& losses) {
        for (size_t t = 0; t < 3; ++t) {
            if (iteration_ < start_) continue;
            if (iteration_ > start_)
                changes_[t].push_back(std::abs(before_[t] - losses[t]) / (losses[t] + eps_));
            before_[t] = losses[t];
            if (changes_[t].size() > window_) {
                changes_[t].erase(changes_[t].begin());
                w_[t] = std::accumulate(changes_[t].begin(), changes_[t].end(), 0.0) /
                        static_cast<double>(window_);
            }
        }
        ++iteration_;
        const double sum = w_[0] + w_[1] + w_[2];
        for (auto& w : w_) w *= total_ / sum;
        return w_;
    }

  private:
    int start_, iteration_ = 0;
    size_t window_;
    double total_, eps_;
    std::vector<double> w_ = {1, 1, 1}, before_ = {0, 0, 0};
    std::vector<std::vector<double>> changes_ = {{}, {}, {}};
};

TEST(AdapMtlWeighting, IsTheReleasedLoop) {
    for (const auto& [options, total, eps] :
         {std::tuple("", 3.0, 1e-12), {",eps=0.25", 3.0, 0.25}, {",total=5.0", 5.0, 1e-12}}) {
        const auto weighting = make(std::string("adapmtl:start=3,window=4") + options);
        SlowAdapMtl slow(3, 4, total, eps);
        for (int step = 0; step < 20; ++step) {
            const std::vector<double> losses = {2.0 + std::sin(step), 1.0 + 0.1 * std::cos(3.0 * step),
                                                0.3 + 0.01 * step};
            learn(*weighting, row(losses));
            expect_numbers(weighting->weights(), slow.step(losses));
            EXPECT_NEAR(weighting->weights().sum().item<double>(), total, kExact);
            if (step < 7) expect_numbers(weighting->weights(), {total / 3, total / 3, total / 3});
        }
        EXPECT_GT(weighting->weights()[0].item<double>(), total / 3);
    }
}

TEST(AdapMtlWeighting, WeightsAddUpToTheTasksNotToThree) {
    auto two = context();
    two.tasks.resize(2);
    const auto corrected = task_weightings().make("adapmtl", two),
               released = task_weightings().make("adapmtl", two, /*as_released=*/true);
    expect_numbers(corrected->weights(), {1, 1});
    expect_numbers(released->weights(), {1.5, 1.5});
}

TEST(AdapMtlWeighting, EqualTracesWeighAlikeAndScalesDoNotMatter) {
    const auto weighting = make("adapmtl:start=0,window=3,eps=0"),
               scaled = make("adapmtl:start=0,window=3,eps=0");
    for (int step = 0; step < 9; ++step) {
        const double a = 1.0 + 0.3 * std::sin(step), b = 2.0 + std::cos(step);
        learn(*weighting, row({a, a, b}));
        learn(*scaled, row({a, 1000 * a, b}));
        const auto weights = numbers(weighting->weights());
        EXPECT_EQ(weights[0], weights[1]);
        expect_numbers(scaled->weights(), weights);
    }
}

TEST(AdapMtlWeighting, AConstantLossWeighsNothingAndConstantLossesChangeNothing) {
    const auto weighting = make("adapmtl:start=0,window=2,priorities=[1,1,4]");
    for (int step = 0; step < 5; ++step) learn(*weighting, row({1.0, 2.0 + step, 3.0 - 0.1 * step}));
    const auto weights = numbers(weighting->weights());
    EXPECT_EQ(weights[0], 0.0);
    EXPECT_NEAR(weights[1] + weights[2] / 4, 3.0, kExact);
    for (int step = 0; step < 3; ++step) learn(*weighting, row({1.0, 2.0, 3.0}));
    const auto before = numbers(weighting->weights());
    for (int step = 0; step < 3; ++step) learn(*weighting, row({1.0, 2.0, 3.0}));
    expect_numbers(weighting->weights(), before);
    learn(*weighting, row({0.0, 1.0, 1.0}));
    for (const double weight : numbers(weighting->weights())) EXPECT_TRUE(std::isfinite(weight));
    EXPECT_THROW(make("adapmtl:window=0"), Error);
    EXPECT_THROW(make("adapmtl:priorities=[1,2]"), Error);
}

TEST(TaskWeightings, EveryOneTrainsSavesItsStateAndSaysWhatItIs) {
    for (const auto& entry : task_weightings().entries()) {
        EXPECT_FALSE(entry.summary.empty()) << entry.key;
        TrainerOptions options;
        options.optimizer.lr = 0.01;
        options.update.task_weighting = quick_weighting(entry.key);
        options.iterations = 8;
        Trainer trainer(tiny_model(), options);
        trainer.run(tiny_batches());
        const auto weights = trainer.weighting().weights();
        EXPECT_EQ(trainer.weighting().learns(),
                  weights.defined() && !weights.equal(torch::ones_like(weights)))
            << entry.key;
        auto state = trainer.state();
        for (const auto& [name, tensor] : trainer.weighting().state()) {
            auto lacking = state;
            lacking.erase("weighting." + name);
            Trainer other(tiny_model(), options);
            EXPECT_THROW(other.load_state(lacking), Error) << entry.key << ' ' << name;
        }
    }
}

}  // namespace
}  // namespace mtlprune::task_weighting_test
