// Two tasks of one kind and an inverse depth through everything that the data pipeline does.
#include <gtest/gtest.h>

#include "datasets/inspect/contact_sheet.h"
#include "datasets/inspect/dataset_check.h"
#include "datasets/inspect/dataset_statistics.h"
#include "datasets/packed/packed.h"
#include "datasets/packed/packed_writer.h"
#include "datasets/pipeline/label_kind.h"
#include "datasets/pipeline/loader.h"
#include "datasets/pipeline/resized_dataset.h"
#include "tests/bad_input.h"
#include "tests/toy_dataset.h"

namespace mtlprune::tasks_as_data_test {
namespace {

enum { objects, materials, nearness };

template <typename T>
torch::Tensor rows_of(const ToyDataset::Values<T>& values, torch::Dtype type) {
    std::vector<T> train;
    for (size_t frame = 0; frame < 3; ++frame)
        train.insert(train.end(), values[frame].begin(), values[frame].end());
    return torch::tensor(train).to(type).view({3, 2, 3});
}

TEST(TasksAsData, LoaderKeepsThemApart) {
    LoaderOptions options;
    options.batch_size = 3;
    options.shuffle = false;
    options.transform.height = 2;
    options.transform.width = 3;
    options.transform.augmentation = Augmentation::none;
    const Batch batch = Loader(std::make_shared<ToyDataset>("train"), options).next();
    ASSERT_EQ(batch.targets.size(), 3u);
    const auto expect_classes = [&](size_t task, const torch::Tensor& classes) {
        EXPECT_TRUE(batch.targets[task].value.equal(classes.masked_fill(classes == 255, 0)));
        EXPECT_TRUE(batch.targets[task].mask.equal((classes != 255).unsqueeze(1)));
    };
    expect_classes(objects, rows_of(ToyDataset::kObjects, torch::kInt64));
    expect_classes(materials, rows_of(ToyDataset::kMaterials, torch::kInt64));
    const auto values = rows_of(ToyDataset::kNearness, torch::kFloat32).unsqueeze(1);
    EXPECT_TRUE(batch.targets[nearness].value.equal(values));
    EXPECT_TRUE(batch.targets[nearness].mask.equal(values > 0));
}

TEST(TasksAsData, PackedFilesGiveThemBack) {
    const TemporaryFolder folder;
    for (const PackedCodec codec : {PackedCodec::png, PackedCodec::raw}) {
        const ToyDataset source("train");
        write_packed({{"train", std::make_shared<ToyDataset>("train")}}, folder / "toy.h5", {.codec = codec});
        const PackedDataset packed({folder / "toy.h5", "train"});
        EXPECT_EQ(packed.tasks(), source.tasks());
        std::vector<std::string> stored;
        for (const auto& modality : packed.metadata()["modalities"]) stored.push_back(modality["name"]);
        EXPECT_EQ(stored, (std::vector<std::string>{"image", "segmentation", "segmentation_2", "depth"}));
        for (int64_t i = 0; i < 3; ++i) {
            const Sample read = packed.get(i), original = source.get(i);
            ASSERT_EQ(read.labels.size(), 3u);
            for (size_t t = 0; t < 3; ++t) {
                ASSERT_EQ(read.labels[t].pixels.type(), original.labels[t].pixels.type());
                EXPECT_EQ(cv::norm(read.labels[t].pixels, original.labels[t].pixels, cv::NORM_INF), 0) << t;
            }
        }
    }
}

/// One frame of one depth task.
class OneDepth : public Dataset {
  public:
    explicit OneDepth(TaskSpec task) : tasks_{std::move(task)} {}
    int64_t size() const override { return 1; }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "one depth"; }
    Sample get(int64_t) const override {
        return {
            "frame", cv::Mat(4, 4, CV_8UC3, cv::Scalar::all(1)), {{cv::Mat(4, 4, CV_32FC1, cv::Scalar(2))}}};
    }

  private:
    std::vector<TaskSpec> tasks_;
};

TEST(TasksAsData, PackedTasksSayWhetherDepthIsInverseOnlyWhereTheNameDoesNot) {
    const TemporaryFolder folder;
    const TaskSpec depth{"depth", TaskKind::depth, 1},
        named = inverse_depth_task(), nearness{"nearness", TaskKind::depth, 1, {}, true},
        misnamed{"inverse_depth", TaskKind::depth, 1, {}, false};
    for (const auto& [task, written] :
         {std::pair(depth, false), {named, false}, {nearness, true}, {misnamed, true}}) {
        write_packed({{"train", std::make_shared<OneDepth>(task)}}, folder / "one.h5", {});
        const PackedDataset packed({folder / "one.h5", "train"});
        EXPECT_EQ(packed.metadata()["tasks"][0].contains("inverse"), written) << task.name;
        EXPECT_EQ(packed.tasks()[0], task);
    }
    const std::string message = error_of([&] {
        write_packed({{"train", std::make_shared<OneDepth>(named)}}, folder / "one.h5",
                     {.normals_from_depth = NormalsFromDepth{{4, 4, 2, 2}, 1}});
    });
    EXPECT_NE(message.find("a task of depth in metres"), std::string::npos) << message;
}

TEST(TasksAsData, StatisticsAreOfEachTask) {
    const auto statistics = dataset_statistics(ToyDataset("train"), {.threads = 2});
    ASSERT_EQ(statistics.tasks.size(), 3u);
    EXPECT_EQ(statistics.tasks[objects].class_counts, (std::vector<int64_t>{5, 6, 4}));
    EXPECT_EQ(statistics.tasks[materials].class_counts, (std::vector<int64_t>{6, 9}));
    EXPECT_EQ(statistics.tasks[objects].valid, 15);
    EXPECT_EQ(statistics.tasks[nearness].valid, 12);
    EXPECT_DOUBLE_EQ(statistics.tasks[nearness].moments.mean(), 7.0 / 12.0);
}

/// The toy frames with a class of the other segmentation among the materials.
class WrongClass : public ToyDataset {
  public:
    WrongClass() : ToyDataset("train") {}
    Sample get(int64_t index) const override {
        Sample sample = ToyDataset::get(index);
        sample.labels[materials].pixels.at<uint8_t>(0, 1) = 2;
        return sample;
    }
};

TEST(TasksAsData, StatisticsRefuseClassesThatTheTaskDoesNotHave) {
    const auto message = error_of([] { dataset_statistics(WrongClass(), {}); });
    EXPECT_NE(message.find("toy 0: materials: expected classes 0..1"), std::string::npos) << message;
}

TEST(TasksAsData, CheckNamesTheTask) {
    EXPECT_TRUE(check_dataset(ToyDataset("train"), {}).empty());
    const ToyDataset toy("train");
    Sample sample = toy.get(1);
    sample.labels[materials].pixels.at<uint8_t>(0, 1) = 2;  // a class of the other segmentation
    sample.labels[nearness].pixels.at<float>(1, 0) = -1;
    const auto problems = sample_problems(sample, toy.tasks());
    ASSERT_EQ(problems.size(), 2u);
    EXPECT_NE(std::string(problems[0].what()).find("toy 1: materials: expected classes 0..1"),
              std::string::npos)
        << problems[0].what();
    EXPECT_NE(std::string(problems[1].what()).find("toy 1: nearness"), std::string::npos);
}

TEST(TasksAsData, ContactSheetsShowEachInItsOwnColours) {
    const ToyDataset toy("test");
    const ResizedDataset large(std::make_shared<ToyDataset>("test"), 40, 60);
    const cv::Mat sheet = contact_sheet({large.get(0)}, toy.tasks(), nullptr, {.tile_width = 96});
    // 2x3 pixels fill tiles of 96x64, 32x32 each.
    const auto tile = [&](int task) { return sheet(cv::Rect(10 + (task + 1) * (96 + 6), 26 + 18, 96, 64)); };
    const auto count = [](const cv::Mat& area, const cv::Vec3b& colour) {
        cv::Mat found;
        cv::inRange(area, cv::Scalar(colour), cv::Scalar(colour), found);
        return cv::countNonZero(found);
    };
    EXPECT_EQ(count(tile(objects), palette(3)[1]), 3 * 32 * 32);
    EXPECT_EQ(count(tile(objects), palette(3)[2]), 32 * 32);
    EXPECT_EQ(count(tile(materials), palette(2)[1]), 3 * 32 * 32);
    EXPECT_EQ(count(tile(materials), {0, 0, 0}), 32 * 32);
    // Inverse depth has no unit, so that no scale in metres covers the lower edge.
    EXPECT_EQ(count(tile(nearness), {30, 30, 30}), 0);
    EXPECT_EQ(count(tile(nearness), {0, 0, 0}), 32 * 32);
    const std::vector<TaskSpec> metres = {{"depth", TaskKind::depth, 1}};
    Sample alone = large.get(0);
    alone.labels = {alone.labels[nearness]};
    const cv::Mat scaled = contact_sheet({alone}, metres, nullptr, {.tile_width = 96});
    EXPECT_GT(count(scaled, {30, 30, 30}), 96);
}

TEST(TasksAsData, EveryKindHasARecordAndAName) {
    for (const auto& kind : label_kinds()) {
        EXPECT_EQ(&label_kind(kind.kind), &kind);
        EXPECT_EQ(task_kind(to_string(kind.kind), "test"), kind.kind);
        EXPECT_NE(kind.write, nullptr);
        EXPECT_NE(kind.from_prediction, nullptr);
        EXPECT_EQ(kind.per_image, kind.pixel_types.empty());
    }
    EXPECT_NE(error_of([] { task_kind("dephts", "here"); }).find("here: expected a kind of task"),
              std::string::npos);
}

TEST(TasksAsData, PredictionsBecomeLabels) {
    const auto scores = torch::tensor({0.f, 3.f, 1.f, 2.f, 0.f, 0.f}).view({3, 1, 2});
    const auto label = [](TaskKind kind, const torch::Tensor& prediction) {
        return label_kind(kind).from_prediction(prediction, NormalsTarget::true_angles);
    };
    EXPECT_EQ(label(TaskKind::segmentation, scores).pixels.at<uint8_t>(0, 0), 1);
    EXPECT_EQ(label(TaskKind::segmentation, scores).pixels.at<uint8_t>(0, 1), 0);
    EXPECT_EQ(label(TaskKind::classification, scores).class_index, 0);
    // Right 3, towards the camera 4, of length 5: codes round(0.6 * 127.5 + 127.5) and of -0.8.
    const auto normal = torch::tensor({3.f, 0.f, -4.f}).view({3, 1, 1});
    EXPECT_EQ(label(TaskKind::normals, normal).pixels.at<cv::Vec3b>(0, 0)[2], 204);
    EXPECT_NEAR(label(TaskKind::normals, normal).pixels.at<cv::Vec3b>(0, 0)[1], 25.5, 0.51);
    EXPECT_EQ(label(TaskKind::depth, torch::full({1, 1, 1}, 2.5f)).pixels.at<float>(0, 0), 2.5f);
}

}  // namespace
}  // namespace mtlprune::tasks_as_data_test
