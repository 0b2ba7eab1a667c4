#include "training/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"

namespace mtlprune::metrics_test {
namespace {

const TaskSpec kSegmentation{"segmentation", TaskKind::segmentation, 5};
const TaskSpec kNormals{"normals", TaskKind::normals, 3};
const TaskSpec kDepth{"depth", TaskKind::depth, 1};
const TaskSpec kKeypoints{"keypoints", TaskKind::keypoints, 1};
const std::vector<TaskSpec> kAll = {kSegmentation, kNormals, kDepth, kKeypoints};
const std::vector<Fidelity> kFidelities = {Fidelity::corrected, Fidelity::as_released};

at::Generator generator(uint64_t key) {
    return at::detail::createCPUGenerator(key);
}

torch::Tensor uniform(at::IntArrayRef shape, uint64_t key, double low, double high) {
    return torch::empty(shape).uniform_(low, high, generator(key));
}

torch::Tensor prediction_of(const TaskSpec& task, int64_t batch) {
    return uniform({batch, task.channels, 3, 4}, 1, task.kind == TaskKind::depth ? 0.1 : -1.0, 3.0);
}

Target target_of(const TaskSpec& task, int64_t batch) {
    const auto mask = uniform({batch, 1, 9, 11}, 2, 0.0, 1.0) < 0.7;
    if (task.kind == TaskKind::segmentation)
        return {torch::empty({batch, 9, 11}, torch::kInt64).random_(0, task.channels, generator(3)), mask};
    return {uniform({batch, task.channels, 9, 11}, 4, 0.2, 4.0), mask};
}

std::vector<Metric> evaluate(const TaskSpec& task, const torch::Tensor& prediction, const Target& target,
                             Fidelity fidelity = Fidelity::corrected) {
    const auto metrics = make_task_metrics(task, fidelity);
    metrics->add(prediction, target);
    return metrics->result();
}

/// One row of pixels.
Target row(const torch::Tensor& values, const std::vector<bool>& valid) {
    auto mask = torch::empty({1, 1, 1, static_cast<int64_t>(valid.size())}, torch::kBool);
    for (size_t i = 0; i < valid.size(); ++i)
        mask[0][0][0][static_cast<int64_t>(i)] = static_cast<bool>(valid[i]);
    return {values, mask};
}

torch::Tensor depths(const std::vector<float>& values) {
    return torch::tensor(values).view({1, 1, 1, -1});
}

/// Unit vectors in the x-y plane at the given angles in degrees, [1,3,1,n].
torch::Tensor directions(const std::vector<double>& degrees) {
    const auto angle = torch::tensor(degrees, torch::kFloat64) * (std::acos(-1.0) / 180.0);
    return torch::stack({angle.cos(), angle.sin(), torch::zeros_like(angle)})
        .to(torch::kFloat32)
        .view({1, 3, 1, -1});
}

TEST(Metrics, OfAPerfectPrediction) {
    for (const auto fidelity : kFidelities) {
        const auto labels = target_of(kSegmentation, 2);
        const auto scores = torch::one_hot(labels.value, 5).permute({0, 3, 1, 2}).to(torch::kFloat32);
        for (const auto& metric : evaluate(kSegmentation, scores, labels, fidelity))
            EXPECT_EQ(metric.value, 1.0);
        for (const auto& task : {kNormals, kDepth, kKeypoints}) {
            const auto target = target_of(task, 2);
            for (const auto& metric : evaluate(task, target.value, target, fidelity))
                EXPECT_NEAR(metric.value, metric.higher_is_better ? 100.0 : 0.0, 0.05) << metric.name;
        }
    }
}

TEST(Metrics, OneOrManyCallsAgree) {
    for (const auto& task : kAll) {
        const auto prediction = prediction_of(task, 5);
        const auto target = target_of(task, 5);
        const auto whole = evaluate(task, prediction, target);
        const auto parts = make_task_metrics(task);
        int64_t begin = 0;
        for (const int64_t size : {1, 3, 1}) {
            parts->add(prediction.narrow(0, begin, size),
                       {target.value.narrow(0, begin, size), target.mask.narrow(0, begin, size)});
            begin += size;
        }
        const auto pooled = parts->result();
        for (size_t m = 0; m < whole.size(); ++m)
            EXPECT_NEAR(pooled[m].value, whole[m].value, 1e-6 * std::abs(whole[m].value)) << whole[m].name;
    }
}

TEST(Metrics, InvalidPixelsHaveNoInfluence) {
    for (const auto& task : kAll)
        for (const auto fidelity : kFidelities) {
            auto target = target_of(task, 2);
            const auto before = evaluate(task, prediction_of(task, 2), target, fidelity);
            if (task.kind == TaskKind::segmentation)
                target.value.masked_fill_(~target.mask.squeeze(1), 255);
            else
                target.value.masked_fill_(~target.mask, NAN);
            const auto after = evaluate(task, prediction_of(task, 2), target, fidelity);
            for (size_t m = 0; m < before.size(); ++m)
                EXPECT_EQ(after[m].value, before[m].value) << before[m].name;
        }
}

TEST(Metrics, SegmentationByHand) {
    const auto labels = torch::tensor({0, 0, 0, 1, 1, 4}).view({1, 1, 6});
    const auto predicted = torch::tensor({0, 0, 2, 1, 0, 0});
    const auto scores = torch::one_hot(predicted, 5).t().reshape({1, 5, 1, 6}).to(torch::kFloat32);
    const auto target = row(labels, {true, true, true, true, true, false});
    const auto corrected = evaluate(kSegmentation, scores, target);
    EXPECT_NEAR(corrected[0].value, 3.0 / 5.0, 1e-12);
    EXPECT_NEAR(corrected[1].value, (2.0 / 4.0 + 1.0 / 2.0 + 0.0) / 3.0,
                1e-12);  // class 2 is predicted, never right
    const auto released = evaluate(kSegmentation, scores, target, Fidelity::as_released);
    EXPECT_NEAR(released[1].value, (2.0 / 4.0 + 1.0 / 2.0) / 2.0, 1e-12);
}

TEST(Metrics, AnglesByHand) {
    const auto prediction = directions({0, 0, 0, 0, 0}) * 7.0;
    const std::vector<double> truth = {10.0, 20.0, 29.0, 90.0, 5.0};
    const auto odd = evaluate(kNormals, prediction, row(directions(truth), {true, true, true, true, true}));
    EXPECT_NEAR(odd[0].value, 154.0 / 5.0, 1e-3);
    EXPECT_NEAR(odd[1].value, 20.0, 1e-3);
    EXPECT_NEAR(odd[2].value, 40.0, 1e-9);
    EXPECT_NEAR(odd[3].value, 60.0, 1e-9);
    EXPECT_NEAR(odd[4].value, 80.0, 1e-9);
    const auto even = evaluate(kNormals, prediction, row(directions(truth), {true, true, true, true, false}));
    EXPECT_NEAR(even[1].value, 24.5, 1e-3);
    EXPECT_EQ(even[2].value, 25.0);
}

TEST(Metrics, DepthByHand) {
    const auto truth = depths({1.0F, 2.0F, 4.0F, 1.0F, 0.0F});
    const auto predicted = depths({1.2F, 3.0F, 4.0F, -1.0F, 9.0F});
    const auto target = row(truth, {true, true, true, true, false});
    const auto corrected = evaluate(kDepth, predicted, target);
    EXPECT_NEAR(corrected[0].value, (0.2 + 1.0 + 0.0 + 2.0) / 4.0, 1e-6);
    EXPECT_NEAR(corrected[1].value, (0.2 + 0.5 + 0.0 + 2.0) / 4.0, 1e-6);
    EXPECT_EQ(corrected[2].value, 50.0);
    EXPECT_EQ(corrected[3].value, 75.0);  // 1.5 <= 1.5625
    EXPECT_EQ(corrected[4].value, 75.0);
    const auto released = evaluate(kDepth, predicted, target, Fidelity::as_released);
    EXPECT_EQ(released[2].value, 75.0);  // the negative depth counts as right
}

TEST(Metrics, ReleasedMeansAreWeightedByBatchSize) {
    for (const auto fidelity : kFidelities) {
        const auto metrics = make_task_metrics(kDepth, fidelity);
        metrics->add(depths({2.0F, 2.0F, 2.0F}), row(depths({1.0F, 1.0F, 1.0F}), {true, true, true}));
        metrics->add(depths({4.0F, 2.0F, 2.0F}), row(depths({1.0F, 1.0F, 1.0F}), {true, false, false}));
        const double expected = fidelity == Fidelity::corrected ? 6.0 / 4.0 : (1.0 + 3.0) / 2.0;
        EXPECT_NEAR(metrics->result()[0].value, expected, 1e-9);
    }
}

TEST(Metrics, WithoutValidPixelsAreNotANumber) {
    for (const auto& task : kAll) {
        auto target = target_of(task, 2);
        target.mask.fill_(false);
        for (const auto& metric : evaluate(task, prediction_of(task, 2), target))
            EXPECT_TRUE(std::isnan(metric.value)) << metric.name;
        for (const auto& metric : make_task_metrics(task)->result()) EXPECT_TRUE(std::isnan(metric.value));
    }
}

TEST(Metrics, ABrokenPredictionShowsInTheMeans) {
    for (const auto& task : {kNormals, kDepth, kKeypoints}) {
        auto prediction = prediction_of(task, 2);
        prediction[0][0][1][1] = NAN;
        EXPECT_TRUE(std::isnan(evaluate(task, prediction, target_of(task, 2))[0].value)) << task.name;
    }
}

TEST(Metrics, DefinitionsMatchResults) {
    std::vector<Metric> results;
    for (const auto& task : kAll)
        for (const auto& metric : evaluate(task, prediction_of(task, 1), target_of(task, 1)))
            results.push_back(metric);
    const auto definitions = metric_definitions(kAll);
    ASSERT_EQ(definitions.size(), results.size());
    EXPECT_EQ(definitions.size(), 13U);
    std::set<std::string> names;
    for (size_t m = 0; m < results.size(); ++m) {
        const std::string plain = results[m].name;
        EXPECT_EQ(definitions[m].name, plain == "abs_err" ? results[m].task + ".abs_err" : plain);
        EXPECT_EQ(definitions[m].task, results[m].task);
        EXPECT_EQ(definitions[m].higher_is_better, results[m].higher_is_better);
        EXPECT_FALSE(definitions[m].definition.empty());
        names.insert(definitions[m].name);
    }
    EXPECT_EQ(names.size(), 13U);
}

TEST(Metrics, RejectShapesThatDoNotFit) {
    for (const auto& task : kAll) {
        const auto metrics = make_task_metrics(task);
        EXPECT_THROW(metrics->add(prediction_of(task, 3), target_of(task, 2)), Error);
        const auto target = target_of(task, 2);
        EXPECT_THROW(metrics->add(prediction_of(task, 2), {target.value, target.mask.slice(3, 1)}), Error);
    }
}

}  // namespace
}  // namespace mtlprune::metrics_test
