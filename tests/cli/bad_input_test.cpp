// Damaged data sets and unusable folders: exit code 2, the file and the reason, no results.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "datasets/codecs/npy.h"
#include "datasets/codecs/npy_writer.h"
#include "datasets/layouts/adashare_writer.h"
#include "datasets/synthetic/synthetic_rooms.h"
#include "tests/cli/program.h"

namespace mtlprune::bad_input_test {
namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// The lines of `text` that name `part`.
Words lines_with(const std::string& text, const std::string& part) {
    Words lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        if (contains(line, part)) lines.push_back(line);
    return lines;
}

class BadInput : public ::testing::Test {
  protected:
    /// A small intact data set in folder_/data.
    void render() {
        SyntheticRoomsOptions options;
        options.count = 4;
        options.height = 32;
        options.width = 40;
        const SyntheticRooms train(options);
        options.count = 2;
        options.split = "test";
        write_adashare(train, SyntheticRooms(options), data());
    }

    fs::path data() const { return folder_ / "data"; }

    Outcome reproduce(const Words& more) {
        return run_program(Words{"reproduce"} + tiny_experiment() + Words{"--results", "results"} + more,
                           folder_.path(), kNoPython);
    }

    Outcome reproduce_data() {
        return reproduce({"--data", "nyuv2=data", "--set", "data.classes=13", "--set", "data.train=0",
                          "--set", "data.test=0", "--set", "prune.strategies=[\"taylor\"]"});
    }

    /// Exit code 2; `file` and `reason` in one line; no report.
    void expect_refused(const Outcome& outcome, const std::string& file, const std::string& reason) {
        EXPECT_EQ(outcome.code, 2) << file << ", " << reason << ":\n" << outcome.text();
        const auto lines = lines_with(outcome.err, file);
        ASSERT_FALSE(lines.empty()) << file << " is not named:\n" << outcome.err;
        for (const auto& line : lines) {
            EXPECT_TRUE(contains(line, reason)) << reason << " is not in: " << line;
            EXPECT_LT(line.size(), 400u) << line;
        }
        EXPECT_FALSE(contains(outcome.err, "internal error")) << outcome.err;
        EXPECT_FALSE(fs::exists(folder_ / "results/report.html"));
        for (const auto& [name, content] : files_below(folder_ / "runs"))
            EXPECT_FALSE(fs::path(name).filename() == "DONE" && !contains(name, "constant")) << name;
    }

    /// Replaces `file` of the intact data set, expects a refusal, and puts it back.
    void expect_refused_with(const std::string& file, const std::string& content, const std::string& reason) {
        const auto intact = read_file(data() / file);
        write_file_atomically(data() / file, content);
        const auto outcome = reproduce_data();
        expect_refused(outcome, "data/" + file, reason);
        EXPECT_EQ(lines_with(outcome.err, "data/" + file).size(), 1u) << outcome.err;
        write_file_atomically(data() / file, intact);
    }

    TemporaryFolder folder_;
};

std::string png(const cv::Mat& pixels) {
    std::vector<unsigned char> bytes;
    cv::imencode(".png", pixels, bytes);
    return {bytes.begin(), bytes.end()};
}

TEST_F(BadInput, MissingFolderListOrSplit) {
    expect_refused(reproduce_data(), "data/nyu_v2_3task.json", "No such file");
    render();
    const auto list = data() / "nyu_v2_3task.json";
    const auto whole = read_file(list);
    auto json = nlohmann::json::parse(whole);
    json["test"] = nlohmann::json::array();
    expect_refused_with("nyu_v2_3task.json", json.dump(), "an empty list");
    json.erase("test");
    expect_refused_with("nyu_v2_3task.json", json.dump(), "split 'test'");
    expect_refused_with("nyu_v2_3task.json", whole.substr(0, whole.size() / 2), "line");
    expect_refused_with("nyu_v2_3task.json", R"({"train": [["a.png", "b.png"]], "test": []})", "4 paths");
}

TEST_F(BadInput, DamagedImagesAndLabels) {
    render();
    const auto image = read_file(data() / "img/0001.png");
    expect_refused_with("img/0001.png", image.substr(0, image.size() / 2), "img/0001.png");
    expect_refused_with("normal_mask/0005.png", png(cv::Mat(16, 16, CV_8UC3, cv::Scalar(127, 127, 0))),
                        "40x32");
    expect_refused_with("seg/0002.png", png(cv::Mat(32, 40, CV_8UC1, cv::Scalar(13))), "13");
}

TEST_F(BadInput, DamagedDepth) {
    render();
    auto depth = read_npy(data() / "depth/0004.npy").clone();
    depth.at<float>(3, 5) = std::nanf("");
    expect_refused_with("depth/0004.npy", encode_npy_f32(depth, true), "finite");
    fs::remove(data() / "depth/0000.npy");
    expect_refused(reproduce_data(), "data/depth/0000.npy", "No such file");
}

TEST_F(BadInput, MalformedScale) {
    write_file_atomically(folder_ / "my.json", "{\n  \"name\": \"my\",\n  \"seeds\" [0]\n}\n");
    const auto outcome =
        run_program({"reproduce", "--scale", "my.json", "--results", "results"}, folder_.path());
    expect_refused(outcome, "my.json", "line 3, column 11");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

TEST_F(BadInput, RunsFolderThatCannotBeMade) {
    write_file_atomically(folder_ / "file", "x");
    expect_refused(reproduce({"--runs", "file/runs"}), "file/runs", "Not a directory");
    EXPECT_EQ(read_file(folder_ / "file"), "x");
}

TEST_F(BadInput, RunsFolderWithoutPermission) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
    fs::create_directory(folder_ / "locked");
    fs::permissions(folder_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
    expect_refused(reproduce({"--runs", "locked/runs"}), "locked/runs", "Permission denied");
    fs::permissions(folder_ / "locked", fs::perms::owner_all);
}

/// A file system of its own, unmounted at the end.
class SmallDisk {
  public:
    SmallDisk(fs::path folder, const std::string& size, unsigned long flags = 0)
        : folder_(std::move(folder)) {
        fs::create_directories(folder_);
        mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", flags, ("size=" + size).c_str()) == 0;
        if (!mounted_) reason_ = std::strerror(errno);
    }
    ~SmallDisk() {
        if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    bool mounted() const { return mounted_; }
    const std::string& reason() const { return reason_; }

  private:
    fs::path folder_;
    bool mounted_;
    std::string reason_;
};

TEST_F(BadInput, ReadOnlyDisk) {
    const SmallDisk disk(folder_ / "disk", "48k", MS_RDONLY);
    if (!disk.mounted()) GTEST_SKIP() << "cannot mount a read-only file system: " << disk.reason();
    expect_refused(reproduce({"--runs", "disk/runs"}), "disk/runs", "Read-only file system");
}

TEST_F(BadInput, FullDiskLeavesNothingHalfWritten) {
    const SmallDisk disk(folder_ / "disk", "48k");  // room for small files, not for a checkpoint
    if (!disk.mounted()) GTEST_SKIP() << "cannot mount a small file system: " << disk.reason();
    const auto outcome = reproduce({"--runs", "disk/runs"});
    expect_refused(outcome, "disk/runs", "No space left on device");
    const auto small = files_below(folder_ / "disk/runs");
    ASSERT_EQ(reproduce({"--runs", "whole"}).code, 0);
    const auto whole = files_below(folder_ / "whole");
    for (const auto& [name, content] : small) {
        ASSERT_TRUE(whole.count(name) > 0) << name << " was left behind";
        EXPECT_TRUE(content == whole.at(name)) << name << " is incomplete";
        EXPECT_FALSE(fs::path(name).filename() == "DONE" &&
                     small.count(fs::path(name).parent_path() / "checkpoint.pt") == 0 &&
                     !contains(name, "constant"))
            << name;
    }
}

}  // namespace
}  // namespace mtlprune::bad_input_test
