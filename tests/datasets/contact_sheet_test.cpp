#include "datasets/inspect/contact_sheet.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <set>

#include "base/error.h"
#include "datasets/inspect/class_list.h"

namespace mtlprune::contact_sheet_test {
namespace {

/// 32 x 24, one class, one depth, facing the camera.
Sample flat_sample(const std::string& id) {
    Sample sample;
    sample.id = id;
    sample.image = cv::Mat(24, 32, CV_8UC3, cv::Scalar(10, 120, 230));
    sample.labels = {{cv::Mat(24, 32, CV_8UC1, cv::Scalar(4))},
                     {cv::Mat(24, 32, CV_8UC3, cv::Scalar(128, 0, 128))},
                     {cv::Mat(24, 32, CV_32FC1, cv::Scalar(2.0))}};
    return sample;
}

int count_of(const cv::Mat& sheet, const cv::Vec3b& colour) {
    cv::Mat found;
    cv::inRange(sheet, cv::Scalar(colour), cv::Scalar(colour), found);
    return cv::countNonZero(found);
}

/// Tile `column` of the first row: after the margin and the tiles before it with their gaps, below header and
/// caption.
cv::Mat tile_of(const cv::Mat& sheet, int column) {
    return sheet(cv::Rect(10 + column * 166, 26 + 18, 160, 120));
}

TEST(Palette, ColoursAreDistinctAndNotBlack) {
    for (const int64_t classes : {1, 7, 13, 14, 40, 150}) {
        const std::vector<cv::Vec3b> colours = palette(classes);
        ASSERT_EQ(static_cast<int64_t>(colours.size()), classes);
        std::set<std::array<uint8_t, 3>> seen;
        for (const cv::Vec3b& colour : colours) {
            EXPECT_GT(cv::norm(colour), 60.0);
            EXPECT_TRUE(seen.insert({colour[0], colour[1], colour[2]}).second) << classes;
        }
    }
    EXPECT_THROW(palette(0), Error);
    EXPECT_THROW(palette(256), Error);
}

TEST(ContactSheet, ShowsEveryLabelInItsColour) {
    const cv::Mat sheet = contact_sheet({flat_sample("a")}, nyuv2_tasks(13));
    ASSERT_EQ(sheet.type(), CV_8UC3);
    constexpr int kTile = 160 * 120;
    EXPECT_EQ(count_of(sheet, {10, 120, 230}), kTile);
    EXPECT_EQ(count_of(sheet, palette(13)[4]), kTile);
    EXPECT_EQ(count_of(sheet, {255, 128, 128}), kTile);  // towards the camera: blue
    EXPECT_GE(sheet.cols, 4 * 160);
    EXPECT_LT(sheet.cols, 4 * 160 + 80);
}

TEST(ContactSheet, ShowsVectorsAsTheirCodes) {
    Sample sample = flat_sample("a");
    sample.labels = {{cv::Mat(24, 32, CV_32FC3, cv::Scalar(0, 0, -1))}};
    sample.labels[0].pixels.rowRange(0, 12).setTo(cv::Scalar::all(0));
    const cv::Mat tile = tile_of(contact_sheet({sample}, {{"normals", TaskKind::normals, 3}}), 1);
    EXPECT_EQ(count_of(tile, {255, 128, 128}), 160 * 60);
    EXPECT_EQ(count_of(tile, {0, 0, 0}), 160 * 60);
}

TEST(ContactSheet, IgnoredAndMaskedPixelsAreBlack) {
    Sample sample = flat_sample("a");
    sample.labels.pop_back();
    sample.labels[0].pixels.setTo(255);
    sample.labels[1].pixels.setTo(cv::Scalar::all(255));
    const cv::Mat sheet = contact_sheet(
        {sample}, {{"segmentation", TaskKind::segmentation, 40}, {"normals", TaskKind::normals, 3}});
    EXPECT_EQ(count_of(sheet, {0, 0, 0}), 2 * 160 * 120);
}

TEST(ContactSheet, PredictionsStandBesideTheirLabels) {
    const std::vector<TaskSpec> tasks = nyuv2_tasks(13);
    const std::vector<Sample> samples = {flat_sample("a"), flat_sample("b"), flat_sample("c")};
    const std::vector<Label> prediction = {{cv::Mat(6, 8, CV_8UC1, cv::Scalar(9))},
                                           {cv::Mat(24, 32, CV_8UC3, cv::Scalar(128, 128, 0))},
                                           {cv::Mat(24, 32, CV_32FC1, cv::Scalar(2.0))}};
    const std::vector<std::vector<Label>> predictions(3, prediction);
    const cv::Mat sheet = contact_sheet(samples, tasks, &predictions, {.columns = 2, .tile_width = 80});
    EXPECT_EQ(count_of(sheet, palette(13)[4]), 3 * 80 * 60);
    EXPECT_EQ(count_of(sheet, palette(13)[9]), 3 * 80 * 60);
    EXPECT_EQ(count_of(sheet, {127, 128, 0}), 3 * 80 * 60);  // to the left: no red
    EXPECT_GE(sheet.cols, 2 * 7 * 80);
    EXPECT_GE(sheet.rows, 2 * 60);
    EXPECT_LT(sheet.rows, 3 * 60 + 120);
}

TEST(ContactSheet, DepthIsBrightWhereNearAndBlackWhereMissing) {
    Sample sample = flat_sample("a");
    cv::Mat depth(24, 32, CV_32FC1, cv::Scalar(8.0));
    depth.colRange(0, 8).setTo(1.0);
    depth.colRange(24, 32).setTo(0.0);
    sample.labels = {{depth}};
    const cv::Mat sheet = contact_sheet({sample}, {{"depth", TaskKind::depth, 1}});
    const cv::Mat tile = tile_of(sheet, 1);
    const auto brightness = [&](int x) { return cv::norm(tile.at<cv::Vec3b>(40, x)); };
    EXPECT_GT(brightness(20), brightness(80) + 60);
    EXPECT_GT(brightness(80), 0.0);
    EXPECT_EQ(brightness(140), 0.0);
}

TEST(ContactSheet, GreyTasksAndMissingModalities) {
    Sample sample = flat_sample("a");
    sample.labels = {{cv::Mat(24, 32, CV_32FC1, cv::Scalar(0.6))}, {}};
    const cv::Mat sheet =
        contact_sheet({sample}, {{"keypoints", TaskKind::keypoints, 1}, {"edges", TaskKind::edges, 1}});
    EXPECT_EQ(count_of(tile_of(sheet, 1), {153, 153, 153}), 160 * 120);
    EXPECT_EQ(count_of(tile_of(sheet, 2), {0, 0, 0}), 160 * 120);
}

TEST(ContactSheet, LegendShowsEveryClassName) {
    const ContactSheetOptions options{.class_names = {"one", "two", "three", "four"}};
    const std::vector<TaskSpec> tasks = {{"segmentation", TaskKind::segmentation, 4}};
    Sample sample = flat_sample("a");
    sample.labels.resize(1);
    sample.labels[0].pixels.setTo(0);
    const cv::Mat plain = contact_sheet({sample}, tasks),
                  legend = contact_sheet({sample}, tasks, nullptr, options);
    EXPECT_GT(legend.rows, plain.rows);
    for (const int c : {1, 3}) {  // the third colour is a grey, as the edges of letters are
        EXPECT_EQ(count_of(plain, palette(4)[c]), 0);
        EXPECT_EQ(count_of(legend, palette(4)[c]), 12 * 12);
    }
}

TEST(ContactSheet, ManyClassesOfAnImageAreOneList) {
    std::vector<TaskSpec> tasks;
    Sample sample = flat_sample("a");
    sample.labels.clear();
    for (int i = 0; i < 40; ++i) {
        tasks.push_back({fmt::format("attribute {}", i), TaskKind::classification, 2});
        sample.labels.push_back({{}, i % 2});
    }
    const cv::Mat sheet = contact_sheet({sample}, tasks);
    EXPECT_LT(sheet.cols, 4 * 170) << "40 tiles beside each other are not looked at";
    const cv::Mat list = sheet(cv::Rect(176, 44, 320, 120));
    cv::Mat grey, ink;
    cv::cvtColor(list, grey, cv::COLOR_BGR2GRAY);
    EXPECT_GT(cv::countNonZero(grey < 120), 300) << "no text";
    std::vector<std::vector<Label>> predictions = {sample.labels};
    EXPECT_EQ(cv::norm(contact_sheet({sample}, tasks, &predictions), sheet, cv::NORM_INF), 0.0)
        << "all right";
    predictions[0][3].class_index = 0;
    EXPECT_GT(cv::norm(contact_sheet({sample}, tasks, &predictions), sheet, cv::NORM_INF), 0.0);
}

TEST(ClassLines, SayWhatIsThereAndWhatIsWrong) {
    const std::vector<TaskSpec> tasks = {{"hat", TaskKind::classification, 2},
                                         {"beard", TaskKind::classification, 2},
                                         {"digit", TaskKind::classification, 10}};
    const std::vector<Label> labels = {{{}, 1}, {{}, 0}, {{}, 7}}, guesses = {{{}, 0}, {{}, 0}, {{}, 7}};
    const auto texts = [&](const std::vector<Label>* predictions) {
        std::vector<std::string> texts;
        for (const auto& line : class_lines(tasks, {0, 1, 2}, labels, predictions))
            texts.push_back(line.text);
        return texts;
    };
    EXPECT_EQ(texts(nullptr), (std::vector<std::string>{"hat", "digit: 7"}));
    EXPECT_EQ(texts(&guesses), (std::vector<std::string>{"hat: 1, predicted 0", "digit: 7"}));
}

TEST(ContactSheet, RejectsWhatItCannotDraw) {
    const std::vector<TaskSpec> tasks = nyuv2_tasks(13);
    EXPECT_THROW(contact_sheet({}, tasks), Error);
    EXPECT_THROW(contact_sheet({flat_sample("a")}, tasks, nullptr, {.columns = 0}), Error);
    EXPECT_THROW(contact_sheet({flat_sample("a")}, tasks, nullptr, {.tile_width = 10}), Error);
    const std::vector<std::vector<Label>> none, short_row(1);
    EXPECT_THROW(contact_sheet({flat_sample("a")}, tasks, &none), Error);
    EXPECT_THROW(contact_sheet({flat_sample("a")}, tasks, &short_row), Error);
    Sample wrong = flat_sample("frame x");
    wrong.labels[2].pixels.convertTo(wrong.labels[2].pixels, CV_64F);
    try {
        contact_sheet({wrong}, tasks);
        FAIL() << "64-bit depth was accepted";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("frame x: depth"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace mtlprune::contact_sheet_test
