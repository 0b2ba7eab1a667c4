// What people's own data sets run into, as the program answers it. Inputs that are small are made here; those
// of shared/field/data, which hold real frames, are skipped where absent.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "tests/cli/program.h"
#include "tests/data_folder.h"

namespace mtlprune::field_data_test {
namespace {

namespace fs = std::filesystem;

fs::path field() {
    return data_folder("MTLPRUNE_TEST_FIELD", "field/data");
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class FieldData : public testing::Test {
  protected:
    void SetUp() override {
        if (!fs::exists(field())) GTEST_SKIP() << "no inputs in " << field() << " (set MTLPRUNE_TEST_FIELD)";
    }
    Outcome run(const Words& arguments) const { return run_program(arguments, folder_.path(), kNoPython); }
    Outcome check(const std::string& layout, const std::string& name, const Words& more = {}) const {
        return run(Words{"data", "check", layout + "=" + (field() / name).string()} + more);
    }
    void expect_problem(const Outcome& outcome, const std::string& part) const {
        EXPECT_EQ(outcome.code, 1) << outcome.text();
        EXPECT_TRUE(contains(outcome.out, part)) << part << "\n" << outcome.text();
    }
    void expect_clean(const Outcome& outcome) const {
        EXPECT_EQ(outcome.code, 0) << outcome.text();
        EXPECT_TRUE(contains(outcome.out, ", 0 problems\n")) << outcome.out;
    }
    TemporaryFolder folder_;
};

TEST_F(FieldData, PublishedNormalsOfMtanAreRecognised) {
    const auto outcome = check("nyuv2_mtan", "mtan");
    expect_clean(outcome);
    EXPECT_TRUE(contains(outcome.err, "recognised: normals: axes right forward up")) << outcome.text();
    expect_clean(check("nyuv2_mtan", "mtan", {"--set", "data.normal_axes=right forward up"}));
    expect_problem(check("nyuv2_mtan", "mtan", {"--set", "data.normal_axes=right down forward"}),
                   "--set data.normal_axes=\"right forward up\"");
}

TEST_F(FieldData, DepthInMillimetresIsAProblemUntilSaid) {
    expect_problem(check("nyuv2", "nyu_depth_mm"), "--set data.depth_unit=millimetres");
    expect_clean(check("nyuv2", "nyu_depth_mm", {"--set", "data.depth_unit=millimetres"}));
    expect_problem(check("nyuv2", "nyu40", {"--set", "data.normal_axes=right up backward"}),
                   "--set data.normal_axes=\"right forward up\"");
}

TEST_F(FieldData, NormalsInOpenglAxesAreAProblemUntilSaid) {
    expect_problem(check("nyuv2", "nyu_normals_opengl"), "--set data.normal_axes=\"right up backward\"");
    expect_clean(check("nyuv2", "nyu_normals_opengl", {"--set", "data.normal_axes=right up backward"}));
}

TEST_F(FieldData, ThirteenClassesReadAsFortyAreAProblemUntilSaid) {
    expect_problem(check("nyuv2", "nyu_seg13_as_40"), "--set data.classes=13 --set data.first_class=1");
    expect_clean(
        check("nyuv2", "nyu_seg13_as_40", {"--set", "data.classes=13", "--set", "data.first_class=1"}));
}

TEST_F(FieldData, TrainingOnWhatContradictsItsReadingIsRefused) {
    const auto outcome = run(Words{"train"} + tiny_experiment() +
                             Words{"--data", "nyuv2=" + (field() / "nyu_depth_mm").string(), "--set",
                                   "data.classes=40", "--set", "data.train=0", "--set", "data.test=0"});
    EXPECT_EQ(outcome.code, 2) << outcome.text();
    EXPECT_TRUE(contains(outcome.err, "--set data.depth_unit=millimetres")) << outcome.err;
}

TEST_F(FieldData, PackedFilesAreCheckedInTheirOwnSplits) {
    const auto damaged = check("packed", "celeb_30_valid_damaged.h5");
    expect_problem(damaged, "valid ");
    EXPECT_TRUE(contains(damaged.out, "check sum")) << damaged.out;
    EXPECT_TRUE(contains(damaged.out, "30 frames checked")) << damaged.out;
    const auto cities = check("packed", "cityscapes_train_val.h5");
    EXPECT_FALSE(contains(cities.out, "split 'test'")) << cities.out;
    EXPECT_TRUE(contains(cities.err, "val: checked")) << cities.text();
}

TEST_F(FieldData, EveryLayoutIsShownWithoutAScale) {
    for (const char* data :
         {"nyuv2=nyu40", "nyuv2_mtan=mtan", "packed=cityscapes_train_val.h5",
          "packed=celeb_30_valid_damaged.h5", "celeba=celeba_published", "idx=idx_emnist"}) {
        const std::string text = data;
        const auto equals = text.find('=') + 1;
        const auto outcome =
            run({"data", "show", "--data", text.substr(0, equals) + (field() / text.substr(equals)).string(),
                 "--count", "1", "--out", "sheet.png"});
        EXPECT_EQ(outcome.code, 0) << data << ": " << outcome.text();
        const auto sheet = cv::imread((folder_ / "sheet.png").string());
        EXPECT_GT(sheet.cols, 2 * 160) << data;
        EXPECT_LT(sheet.cols, 6 * 170) << data << " is wider than people look at";
    }
}

TEST_F(FieldData, DownloadsAreReadAsTheyAre) {
    expect_clean(check("celeba", "celeba_published"));
    expect_clean(check("idx", "idx_emnist"));
    const auto truncated = check("idx", "idx_truncated");
    expect_problem(truncated, "end too early or are damaged: the download stopped");
    EXPECT_TRUE(contains(truncated.out, "0 frames checked, 1 problem\n")) << truncated.out;
    EXPECT_FALSE(contains(truncated.out, "2595752098")) << truncated.out;
}

TEST_F(FieldData, ABuildingOfTaskonomyIsNamedWithTheKeysThatHelp) {
    fs::create_directories(folder_ / "t/rgb/taskonomy/hanson");
    fs::copy_file(field() / "taskonomy_bom.csv", folder_ / "t/train_val_test_tiny.csv");
    cv::imwrite((folder_ / "t/rgb/taskonomy/hanson/point_0_view_0_domain_rgb.png").string(),
                cv::Mat(4, 5, CV_8UC3, cv::Scalar::all(9)));
    fs::create_directories(folder_ / "t/depth_zbuffer/taskonomy/hanson");
    cv::imwrite(
        (folder_ / "t/depth_zbuffer/taskonomy/hanson/point_0_view_0_domain_depth_zbuffer.png").string(),
        cv::Mat(4, 5, CV_16UC1, cv::Scalar(1024)));
    const auto check_with = [&](const Words& more) {
        return run(Words{"data", "check", "taskonomy=t", "--split", "train"} + more);
    };
    expect_problem(check_with({}), "--set data.tasks=[\"normals\",\"depth\",\"keypoints\",\"edges\"]");
    expect_problem(check_with({"--set", "data.tasks=[\"depth\"]"}), "--set data.allow_incomplete=true");
    const auto one = check_with({"--set", "data.tasks=[\"depth\"]", "--set", "data.allow_incomplete=true"});
    expect_clean(one);
    EXPECT_TRUE(contains(one.out, "1 frames checked")) << one.out;
}

TEST(FieldOptions, AreInTheHelpOfEveryCommandThatReadsData) {
    const TemporaryFolder folder;
    for (const char* command : {"show", "check", "stats", "pack"}) {
        const auto help = run_program({"data", command, "--help"}, folder.path());
        for (const char* key :
             {"--set", "data.normal_axes=", "data.depth_unit=", "data.first_class=", "data.allow_incomplete=",
              "data.split_file=", "data.partition=", "data.tasks", "data.label_ids=", "data.files="})
            EXPECT_TRUE(contains(help.out, key)) << command << " " << key << "\n" << help.out;
    }
    const auto list = run_program({"list"}, folder.path());
    EXPECT_TRUE(contains(list.out, "data.allow_incomplete=false")) << list.out;
    const std::pair<Words, std::string> wrong[] = {
        {{"data", "check", "nyuv2=x", "--set", "data.normal_axis=x"}, "'data.normal_axes'"},
        {{"data", "check", "nyuv2=x", "--set", "data.depth_unit=inches"}, "millimetres"},
        {{"data", "check", "nyuv2=x", "--set", "data.first_class=one"}, "an integer"},
        {{"data", "check", "nyuv2=x", "--set", "data.tasks=depth"}, "a list of names"},
        {{"train", "--data", "nyuv2=x", "--set", "data.depth_unit=inches"}, "millimetres"},
        {{"train", "--data", "nyuv2=x", "--set", "data.normal_axis=x"}, "normal_axes"},
    };
    for (const auto& [arguments, part] : wrong) {
        const auto outcome = run_program(arguments, folder.path());
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        EXPECT_TRUE(contains(outcome.err, part)) << part << ": " << outcome.err;
    }
}

TEST(FieldPacked, AFileOfTrainAndValIsPackedCheckedAndShownByItsOwnSplits) {
    const TemporaryFolder folder;
    const auto run = [&](const Words& arguments) { return run_program(arguments, folder.path(), kNoPython); };
    ASSERT_EQ(run({"data", "render", "--out", "rooms", "--train", "3", "--test", "2", "--height", "32",
                   "--width", "40"})
                  .code,
              0);
    auto list = nlohmann::json::parse(read_file(folder / "rooms/nyu_v2_3task.json"));
    list["val"] = list["test"];
    list.erase("test");
    write_file_atomically(folder / "rooms/nyu_v2_3task.json", list.dump());
    const auto packed = run({"data", "pack", "nyuv2=rooms", "rooms.h5", "--classes", "13", "--codec", "raw"});
    ASSERT_EQ(packed.code, 0) << packed.err;
    for (const char* data : {"nyuv2=rooms", "packed=rooms.h5"}) {
        const auto shown = run({"data", "show", "--data", data, "--out", "sheet.png"});
        EXPECT_EQ(shown.code, 0) << shown.err;
    }
    EXPECT_EQ(run({"data", "check", "packed=rooms.h5"}).out, "5 frames checked, 0 problems\n");
    // The last image lies in val; its pixels are an array.
    auto bytes = read_file(folder / "rooms.h5");
    const auto image = cv::imread((folder / "rooms/img/0004.png").string());
    const auto at = bytes.find(std::string(image.ptr<char>(), 3 * 40));
    ASSERT_NE(at, std::string::npos);
    bytes[at + 7] ^= 1;
    write_file_atomically(folder / "rooms.h5", bytes);
    const auto damaged = run({"data", "check", "packed=rooms.h5"});
    EXPECT_EQ(damaged.code, 1) << damaged.text();
    EXPECT_TRUE(contains(damaged.out, "val ")) << damaged.out;
    EXPECT_TRUE(contains(damaged.out, "5 frames checked, 1 problem\n")) << damaged.out;
}

TEST(FieldLists, AReadErrorIsAProblem) {
    const TemporaryFolder folder;
    fs::create_directory(folder / "nyu");
    fs::create_symlink("/proc/self/mem", folder / "nyu/nyu_v2_3task.json");
    const auto outcome = run_program({"data", "check", "nyuv2=nyu"}, folder.path());
    EXPECT_EQ(outcome.code, 1) << outcome.text();
    EXPECT_TRUE(contains(outcome.out, "Input/output error")) << outcome.out;
    EXPECT_TRUE(contains(outcome.out, "0 frames checked, 1 problem\n")) << outcome.out;
}

}  // namespace
}  // namespace mtlprune::field_data_test
