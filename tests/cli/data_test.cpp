// From rendering a data set to looking at a trained network's predictions.
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "tests/cli/program.h"

namespace mtlprune::data_test {
namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

cv::Mat read_png(const fs::path& file) {
    const auto bytes = read_file(file);
    EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
    return cv::imdecode(std::vector<unsigned char>(bytes.begin(), bytes.end()), cv::IMREAD_COLOR);
}

TEST(Data, RenderTrainEvaluateAndShow) {
    const TemporaryFolder folder;
    const auto run = [&](const Words& arguments) { return run_program(arguments, folder.path(), kNoPython); };
    const auto rendered = run({"data", "render", "--out", "rooms", "--train", "6", "--test", "4", "--height",
                               "40", "--width", "48"});
    ASSERT_EQ(rendered.code, 0) << rendered.err;
    EXPECT_EQ(rendered.out, (folder / "rooms").string() + "\n");
    ASSERT_TRUE(fs::exists(folder / "rooms/nyu_v2_3task.json"));

    const Words experiment = tiny_experiment() + Words{"--data", "nyuv2=rooms",  "--set", "data.classes=13",
                                                       "--set",  "data.train=0", "--set", "data.test=0"};
    const auto trained = run(Words{"train"} + experiment);
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_TRUE(contains(trained.out, "pixel_accuracy")) << trained.out;
    std::string checkpoint;
    for (const auto& [name, content] : files_below(folder / "runs"))
        if (fs::path(name).filename() == "checkpoint.pt") checkpoint = "runs/" + name;
    ASSERT_TRUE(contains(checkpoint, "dense_")) << checkpoint;

    const auto evaluated = run(Words{"eval", checkpoint} + experiment);
    ASSERT_EQ(evaluated.code, 0) << evaluated.err;
    for (const char* metric :
         {"pixel_accuracy", "miou", "angle_mean", "angle_median", "within_11_25", "within_22_5", "within_30",
          "abs_err", "rel_err", "delta1", "delta2", "delta3"})
        EXPECT_TRUE(contains(evaluated.out, metric)) << metric;
    // The same network, so the same numbers as after training.
    EXPECT_TRUE(contains(trained.out, evaluated.out)) << trained.out << "\n" << evaluated.out;

    const auto plain = run(Words{"data", "show", "--count", "2", "--out", "plain.png"} + experiment);
    ASSERT_EQ(plain.code, 0) << plain.err;
    const auto shown = run(
        Words{"data", "show", "--count", "2", "--out", "shown.png", "--checkpoint", checkpoint} + experiment);
    ASSERT_EQ(shown.code, 0) << shown.err;
    const auto without = read_png(folder / "plain.png"), with = read_png(folder / "shown.png");
    ASSERT_FALSE(without.empty());
    EXPECT_GT(with.total(), without.total()) << "predictions take no room";
}

TEST(Data, TheRoomsSheetShowsKeypointsAndEdgesToo) {
    const TemporaryFolder folder;
    const auto rendered = run_program({"data", "render", "--out", "rooms", "--train", "1", "--test", "1",
                                       "--height", "32", "--width", "40"},
                                      folder.path());
    ASSERT_EQ(rendered.code, 0) << rendered.err;
    const Words files = {"--data",       "nyuv2=rooms", "--set",       "data.classes=13", "--set",
                         "data.train=0", "--set",       "data.test=0", "--out",           "files.png"};
    for (const Words& data : {Words{"--out", "rooms.png"}, files}) {
        const auto shown =
            run_program(Words{"data", "show", "--count", "1"} + tiny_experiment() + data, folder.path());
        ASSERT_EQ(shown.code, 0) << shown.err;
    }
    // Image and three labels against image and five.
    const int three = read_png(folder / "files.png").cols, five = read_png(folder / "rooms.png").cols;
    EXPECT_GT(five - three, three / 3);
}

TEST(Prune, StopsAtItsCapAndReusesTheDenseNetwork) {
    const TemporaryFolder folder;
    const Words options = tiny_experiment() + Words{"--strategy", "taylor", "--set", "prune.iterations=8"};
    const auto outcome = run_program(Words{"prune"} + options, folder.path(), kNoPython);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "event,parameters,macs,loss_segmentation")) << outcome.out;
    EXPECT_TRUE(contains(outcome.out, "\n0,")) << outcome.out;
    EXPECT_TRUE(contains(outcome.out, "\n1,")) << outcome.out;
    EXPECT_FALSE(contains(outcome.out, "\n2,")) << outcome.out;
    for (const auto& [name, content] : files_below(folder / "runs"))
        EXPECT_TRUE(contains(name, "constant_") || contains(name, "dense_") ||
                    contains(name, "prune-taylor_"))
            << name;
}

TEST(Eval, BadCheckpointsAreNamed) {
    const TemporaryFolder folder;
    write_file_atomically(folder / "broken.pt", "PK not really");
    for (const char* file : {"broken.pt", "missing.pt"}) {
        const auto outcome = run_program(Words{"eval", file} + tiny_experiment(), folder.path());
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        EXPECT_TRUE(contains(outcome.err, file)) << outcome.err;
    }
}

}  // namespace
}  // namespace mtlprune::data_test
