#include "datasets/inspect/dataset_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "datasets/inspect/statistics_files.h"
#include "datasets/synthetic/synthetic_rooms.h"
#include "tests/bad_input.h"

namespace mtlprune::dataset_statistics_test {
namespace {

/// Two frames of 1x4 pixels whose statistics are easy to work out.
class TwoFrames : public Dataset {
  public:
    int64_t size() const override { return 2; }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "two frames"; }
    Sample get(int64_t index) const override {
        Sample sample;
        sample.id = std::to_string(index);
        sample.image = cv::Mat(1, 4, CV_8UC3, index == 0 ? cv::Scalar(0, 51, 255) : cv::Scalar(0, 51, 0));
        cv::Mat classes = (cv::Mat_<uint8_t>(1, 4) << 0, 0, 2, 255);
        if (index == 1) classes = cv::Mat(1, 4, CV_8UC1, cv::Scalar(2));
        const cv::Mat depth =
            index == 0 ? (cv::Mat_<float>(1, 4) << 1, 2, 3, 0) : (cv::Mat_<float>(1, 4) << 4, 0, 0, 0);
        // G = forward, R = right: facing the camera, then to the right; the last pixel is masked.
        cv::Mat normals(1, 4, CV_8UC3, cv::Scalar(128, 0, 128));
        normals.at<cv::Vec3b>(0, 2) = {128, 128, 254};
        normals.at<cv::Vec3b>(0, 3) = {255, 255, 255};
        const cv::Mat edges(1, 4, CV_32FC1, cv::Scalar(index == 0 ? 0.25 : 0.75));
        sample.labels = {{classes}, {depth}, {normals}, {edges}, {{}, index == 0 ? 1 : -1}};
        return sample;
    }

  private:
    std::vector<TaskSpec> tasks_ = {{"segmentation", TaskKind::segmentation, 3},
                                    {"depth", TaskKind::depth, 1},
                                    {"normals", TaskKind::normals, 3},
                                    {"edges", TaskKind::edges, 1},
                                    {"kind", TaskKind::classification, 2}};
};

TEST(DatasetStatistics, AreThoseWorkedOutByHand) {
    const auto s = dataset_statistics(TwoFrames(), {});
    EXPECT_EQ(s.frames, 2);
    ASSERT_EQ(s.sizes.size(), 1u);
    EXPECT_EQ(s.sizes.at({1, 4}), 2);
    EXPECT_DOUBLE_EQ(s.channels[0].mean(), 0.5);  // red: 255 and 0
    EXPECT_DOUBLE_EQ(s.channels[0].deviation(), 0.5);
    EXPECT_DOUBLE_EQ(s.channels[1].mean(), 0.2);  // green: 51 everywhere
    EXPECT_NEAR(s.channels[1].deviation(), 0, 1e-7);
    EXPECT_DOUBLE_EQ(s.channels[2].mean(), 0);

    const auto& segmentation = s.tasks[0];
    EXPECT_EQ(segmentation.total, 8);
    EXPECT_EQ(segmentation.valid, 7);
    EXPECT_EQ(segmentation.class_counts, (std::vector<int64_t>{2, 0, 5}));
    EXPECT_EQ(segmentation.class_frames, (std::vector<int64_t>{1, 0, 2}));

    const auto& depth = s.tasks[1];
    EXPECT_EQ(depth.valid, 4);
    EXPECT_DOUBLE_EQ(depth.valid_fraction(), 0.5);
    EXPECT_DOUBLE_EQ(depth.moments.mean(), 2.5);
    EXPECT_NEAR(depth.moments.deviation(), std::sqrt(1.25), 1e-12);
    EXPECT_EQ(depth.values.total(), 4);

    const auto& normals = s.tasks[2];
    EXPECT_EQ(normals.valid, 6);
    EXPECT_NEAR(normals.axes[0].mean(), 1.0 / 3, 0.01);   // 2 of 6 point right
    EXPECT_NEAR(normals.axes[2].mean(), -2.0 / 3, 0.01);  // 4 of 6 face the camera
    const auto at = [&](int64_t y, int64_t x) {
        return normals.directions[static_cast<size_t>(y * kDirectionBins + x)];
    };
    const int64_t middle = kDirectionBins / 2;
    int64_t facing = 0;
    for (int64_t y : {middle - 1, middle})
        for (int64_t x : {middle - 1, middle}) facing += at(y, x);
    EXPECT_EQ(facing, 4);
    EXPECT_EQ(at(middle - 1, kDirectionBins - 1) + at(middle, kDirectionBins - 1), 2);

    EXPECT_DOUBLE_EQ(s.tasks[3].moments.mean(), 0.5);
    EXPECT_EQ(s.tasks[3].values.counts()[25], 4);
    EXPECT_EQ(s.tasks[4].total, 2);
    EXPECT_EQ(s.tasks[4].valid, 1);
    EXPECT_EQ(s.tasks[4].class_counts, (std::vector<int64_t>{0, 1}));
}

TEST(DatasetStatistics, DoNotDependOnThreads) {
    SyntheticRoomsOptions rooms;
    rooms.count = 6;
    rooms.height = 24;
    rooms.width = 32;
    const SyntheticRooms dataset(rooms);
    std::vector<std::string> texts;
    for (const int threads : {1, 3}) {
        const TemporaryFolder folder;
        DatasetStatisticsOptions options;
        options.threads = threads;
        write_statistics(dataset_statistics(dataset, options), folder / "out");
        std::string text;
        for (const char* name : {"statistics.json", "classes.csv", "histograms.csv", "directions.csv"})
            text += read_file(folder / (std::string("out/") + name));
        texts.push_back(text);
    }
    EXPECT_EQ(texts[0], texts[1]);
}

TEST(DatasetStatistics, AreWrittenAsJsonAndTables) {
    const TemporaryFolder folder;
    write_statistics(dataset_statistics(TwoFrames(), {}), folder.path());
    const auto json = nlohmann::json::parse(read_file(folder / "statistics.json"));
    EXPECT_EQ(json["description"], "two frames");
    EXPECT_EQ(json["sizes"][0]["width"], 4);
    EXPECT_DOUBLE_EQ(json["channels"]["red"]["mean"], 0.5);
    EXPECT_DOUBLE_EQ(json["tasks"][1]["valid_fraction"], 0.5);
    EXPECT_EQ(read_file(folder / "classes.csv"),
              "task,class,count,fraction,frames\n"
              "segmentation,0,2,0.285714286,1\nsegmentation,1,0,0,0\nsegmentation,2,5,0.714285714,2\n"
              "kind,0,0,0,0\nkind,1,1,1,1\n");
    const auto histograms = read_file(folder / "histograms.csv");
    EXPECT_NE(histograms.find("edges,0.25,0.26,4\n"), std::string::npos) << histograms;
    EXPECT_NE(histograms.find("depth,-inf,0.01,0\n"), std::string::npos) << histograms;
    EXPECT_EQ(read_file(folder / "directions.csv").substr(0, 37), "task,x_low,x_high,y_low,y_high,count\n");
}

TEST(Histogram, CountsInStepsAndOutside) {
    Histogram linear(0, 10, 5);
    for (const double value : {-1.0, 0.0, 1.9, 2.0, 9.99, 10.0}) linear.add(value);
    EXPECT_EQ(linear.counts(), (std::vector<int64_t>{2, 1, 0, 0, 1}));
    EXPECT_EQ(linear.below(), 1);
    EXPECT_EQ(linear.above(), 1);
    EXPECT_DOUBLE_EQ(linear.edge(1), 2);
    Histogram logarithmic(0.1, 1000, 4, true);
    for (const double value : {0.0, 0.5, 5.0, 50.0, 500.0, 5000.0}) logarithmic.add(value);
    EXPECT_EQ(logarithmic.counts(), (std::vector<int64_t>{1, 1, 1, 1}));
    EXPECT_NEAR(logarithmic.edge(1), 1, 1e-12);
    EXPECT_NEAR(logarithmic.edge(4), 1000, 1e-9);
}

TEST(Histogram, InterpolatesQuantiles) {
    Histogram uniform(0, 1, 10);
    EXPECT_TRUE(std::isnan(uniform.quantile(0.5)));
    for (int i = 0; i < 1000; ++i) uniform.add((i + 0.5) / 1000);
    for (const double share : {0.05, 0.25, 0.5, 0.77, 1.0}) EXPECT_NEAR(uniform.quantile(share), share, 1e-9);
    uniform.add(7);
    EXPECT_DOUBLE_EQ(uniform.quantile(1), 1);
}

}  // namespace
}  // namespace mtlprune::dataset_statistics_test
