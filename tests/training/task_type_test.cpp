// Kinds of tasks: metadata of metrics, predictions without an image, several tasks of one kind.
#include "training/tasks/task_type.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "datasets/pipeline/label_kind.h"
#include "datasets/pipeline/loader.h"
#include "tests/bad_input.h"
#include "tests/toy_dataset.h"
#include "training/evaluate.h"
#include "training/losses.h"

namespace mtlprune::task_type_test {
namespace {

enum { objects, materials, nearness };

/// All frames of a split, two in the first batch.
std::vector<Batch> batches_of(const std::string& split) {
    LoaderOptions options;
    options.batch_size = 2;
    options.shuffle = false;
    options.transform.height = 2;
    options.transform.width = 3;
    options.transform.augmentation = Augmentation::none;
    Loader loader(std::make_shared<ToyDataset>(split), options);
    std::vector<Batch> batches;
    for (int64_t b = 0; b < loader.batches_per_epoch(); ++b) batches.push_back(loader.next());
    return batches;
}

const std::vector<TaskSpec> kToyTasks = ToyDataset("train").tasks();

TEST(TaskTypes, ThereIsOneForEveryKindOfLabel) {
    ASSERT_EQ(task_types().size(), label_kinds().size());
    for (const auto& kind : label_kinds()) {
        EXPECT_EQ(task_type(kind.kind).kind(), kind.kind);
        EXPECT_EQ(&task_type(to_string(kind.kind)), &task_type(kind.kind));
    }
    EXPECT_NE(error_of([] { task_type("normal"); }).find("did you mean 'normals'"), std::string::npos);
}

TEST(TaskTypes, EveryMetricIsDescribedAndOnePerKindIsPrimary) {
    for (const auto* type : task_types()) {
        int primary = 0;
        for (const auto& metric : type->metrics({"a", type->kind(), 3})) {
            EXPECT_FALSE(metric.name.empty() || metric.label.empty() || metric.definition.empty());
            EXPECT_GT(metric.display_scale, 0);
            primary += metric.primary;
        }
        EXPECT_EQ(primary, 1) << to_string(type->kind());
    }
}

TEST(TaskTypes, MetricsOfNyuv2KeepTheirNamesAndOrder) {
    std::vector<std::string> names;
    for (const auto& metric : metric_definitions(nyuv2_tasks(13))) names.push_back(metric.name);
    EXPECT_EQ(names, (std::vector<std::string>{"pixel_accuracy", "miou", "angle_mean", "angle_median",
                                               "within_11_25", "within_22_5", "within_30", "abs_err",
                                               "rel_err", "delta1", "delta2", "delta3"}));
}

TEST(TaskTypes, SharedNamesCarryTheTask) {
    const auto metrics = metric_definitions(kToyTasks);
    std::vector<std::string> names;
    for (const auto& metric : metrics) names.push_back(metric.name);
    EXPECT_EQ(names, (std::vector<std::string>{"objects.pixel_accuracy", "objects.miou",
                                               "materials.pixel_accuracy", "materials.miou", "abs_err",
                                               "rel_err", "delta1", "delta2", "delta3"}));
    EXPECT_EQ(metrics[2].label, "materials: Pixel accuracy");
    EXPECT_EQ(metrics[4].unit, "") << "inverse depth is no metres";
    EXPECT_EQ(metric_definitions({{"depth", TaskKind::depth, 1}})[0].unit, "m");
    const std::vector<TaskSpec> twice = {kToyTasks[0], kToyTasks[0]};
    EXPECT_NE(error_of([&] { metric_definitions(twice); }).find("'objects' twice"), std::string::npos);
}

TEST(TaskTypes, MetricsAreDescribedAsJson) {
    const auto json = metrics_json(metric_definitions(nyuv2_tasks(13)));
    ASSERT_EQ(json.size(), 12u);
    EXPECT_EQ(json[0]["name"], "pixel_accuracy");
    EXPECT_EQ(json[0]["task"], "segmentation");
    EXPECT_EQ(json[0]["label"], "Pixel accuracy");
    EXPECT_EQ(json[0]["display_unit"], "%");
    EXPECT_EQ(json[0]["difference_unit"], "percentage points");
    EXPECT_EQ(json[0]["display_scale"], 100);
    EXPECT_EQ(json[0]["higher_is_better"], true);
    EXPECT_EQ(json[0]["primary"], true);
    EXPECT_EQ(json[2]["display_unit"], "°");
    EXPECT_EQ(json[2]["difference_unit"], "°");
    EXPECT_EQ(json[2]["higher_is_better"], false);
}

TEST(TaskTypes, LossesOfTwoSegmentationsAndAnInverseDepth) {
    const auto batch = batches_of("test")[0];
    // Scores (0, ln 3) are probabilities 1/4 and 3/4; (0, 0, ln 2) are 1/4, 1/4 and 1/2.
    const auto everywhere = [](const std::vector<double>& scores) {
        return torch::tensor(scores, torch::kDouble).view({1, -1, 1, 1}).expand({1, -1, 2, 3});
    };
    const auto losses = task_losses(
        kToyTasks, {everywhere({0, 0, std::log(2.0)}), everywhere({0, std::log(3.0)}), everywhere({1.0})},
        batch.targets);
    // Objects 0 1 1 / 0 2 1; materials 0 1 0 / 1 - 1; nearness 1 0.25 0.5 / 2 - 0.25.
    EXPECT_NEAR(losses[objects].item<double>(), (5 * std::log(4.0) + std::log(2.0)) / 6, 1e-12);
    EXPECT_NEAR(losses[materials].item<double>(), (2 * std::log(4.0) + 3 * std::log(4.0 / 3)) / 5, 1e-12);
    EXPECT_NEAR(losses[nearness].item<double>(), (0 + 0.75 + 0.5 + 1 + 0.75) / 5, 1e-12);
}

TEST(TaskTypes, ConstantPredictorOfEachTask) {
    // Train: objects 5 6 4 of the classes, materials 6 9, the sixth of twelve nearnesses is 0.5.
    const auto result = evaluate_constant(kToyTasks, batches_of("train"), batches_of("test"), {});
    EXPECT_NEAR(result.metric("objects.pixel_accuracy").value, 3.0 / 6, 1e-9);
    EXPECT_NEAR(result.metric("objects.miou").value, (0 + 3.0 / 6 + 0) / 3, 1e-9);
    EXPECT_NEAR(result.metric("materials.pixel_accuracy").value, 3.0 / 5, 1e-9);
    EXPECT_NEAR(result.metric("materials.miou").value, (0 + 3.0 / 5) / 2, 1e-9);
    EXPECT_NEAR(result.metric("abs_err").value, (0.5 + 0.25 + 0 + 1.5 + 0.25) / 5, 1e-6);
    EXPECT_NEAR(result.metric("rel_err").value, (0.5 + 1 + 0 + 0.75 + 1) / 5, 1e-6);
}

TEST(TaskTypes, PositionOnlyPredictorOfEachTask) {
    const auto result = evaluate_by_position(kToyTasks, batches_of("train"), batches_of("test"), {});
    // Modes at the positions: objects 0 1 2 / 0 - 1, materials 0 1 1 / 1 0 -; the constants 1 and 1
    // elsewhere.
    EXPECT_NEAR(result.metric("objects.pixel_accuracy").value, 4.0 / 6, 1e-9);
    EXPECT_NEAR(result.metric("objects.miou").value, (2.0 / 2 + 2.0 / 4 + 0) / 3, 1e-9);
    EXPECT_NEAR(result.metric("materials.pixel_accuracy").value, 4.0 / 5, 1e-9);
    EXPECT_NEAR(result.metric("materials.miou").value, (1.0 / 2 + 3.0 / 4) / 2, 1e-9);
    // Medians 0.5 0.25 - / 1 - 0.25, the constant 0.5 elsewhere.
    EXPECT_NEAR(result.metric("abs_err").value, (0.5 + 0 + 0 + 1 + 0) / 5, 1e-6);
    EXPECT_NEAR(result.metric("rel_err").value, (0.5 + 0 + 0 + 0.5 + 0) / 5, 1e-6);
    EXPECT_NEAR(result.losses.at(nearness), 0.3, 1e-6);
}

TEST(TaskTypes, PositionOnlyNormalsAreMeanDirections) {
    const TaskSpec task{"normals", TaskKind::normals, 3};
    // One row of three positions in two frames: x and y; x and nothing; nothing at all.
    auto first = torch::zeros({1, 3, 1, 3}), second = torch::zeros({1, 3, 1, 3});
    first[0][0][0][0] = first[0][0][0][1] = second[0][1][0][0] = 1;
    const auto mask = [](bool a, bool b) { return torch::tensor({a, b, false}).view({1, 1, 1, 3}); };
    const std::vector<Target> train = {{first, mask(true, true)}, {second, mask(true, false)}};
    const auto map = task_type(TaskKind::normals).by_position(task, train);
    const auto at = [&](int64_t x) { return map.select(3, x).flatten(); };
    const double half = std::sqrt(0.5), five = std::sqrt(5.0);
    EXPECT_TRUE(at(0).allclose(torch::tensor({half, half, 0.0}, torch::kDouble)));
    EXPECT_TRUE(at(1).allclose(torch::tensor({1.0, 0.0, 0.0}, torch::kDouble)));
    EXPECT_TRUE(at(2).allclose(torch::tensor({2 / five, 1 / five, 0.0}, torch::kDouble)));
}

TEST(TaskTypes, PredictorsWithoutValidTargetsAreRefused) {
    for (const auto* type : task_types()) {
        const bool classes = label_kind(type->kind()).content == LabelContent::classes;
        const bool per_image = label_kind(type->kind()).per_image;
        const TaskSpec task{"this task", type->kind(), type->kind() == TaskKind::normals ? 3 : 1};
        const Target nothing{
            per_image ? torch::zeros({2}, torch::kInt64)
            : classes ? torch::zeros({2, 4, 5}, torch::kInt64)
                      : torch::zeros({2, task.channels, 4, 5}),
            per_image ? torch::zeros({2}, torch::kBool) : torch::zeros({2, 1, 4, 5}, torch::kBool)};
        for (const auto& message : {error_of([&] { type->constant(task, {nothing}); }),
                                    error_of([&] { type->by_position(task, {nothing}); })})
            EXPECT_NE(message.find("this task: expected a training target with a valid label"),
                      std::string::npos)
                << to_string(type->kind()) << ": " << message;
    }
}

}  // namespace
}  // namespace mtlprune::task_type_test
