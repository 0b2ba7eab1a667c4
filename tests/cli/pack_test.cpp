// From a data set in files to a packed one and back.
#include <gtest/gtest.h>

#include "tests/cli/program.h"

namespace mtlprune::pack_test {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Pack, PacksAndReadsAgain) {
    const TemporaryFolder folder;
    const auto run = [&](const Words& arguments) { return run_program(arguments, folder.path(), kNoPython); };
    const auto rendered = run({"data", "render", "--out", "rooms", "--train", "4", "--test", "2", "--height",
                               "40", "--width", "48"});
    ASSERT_EQ(rendered.code, 0) << rendered.err;
    const Words pack = {"data", "pack", "nyuv2=rooms", "rooms.h5", "--classes", "13"};
    const auto packed = run(pack + Words{"--codec", "png", "--threads", "2"});
    ASSERT_EQ(packed.code, 0) << packed.err;
    EXPECT_EQ(packed.out, (folder / "rooms.h5").string() + "\n");
    EXPECT_TRUE(contains(packed.err, "packed 6 of 6 frames")) << packed.err;

    const auto show = [&](const std::string& data, const std::string& out) {
        return run({"data", "show", "--scale", "smoke", "--data", data, "--set", "data.classes=13", "--set",
                    "data.train=0", "--set", "data.test=0", "--split", "train", "--count", "3", "--out",
                    out});
    };
    const auto from_files = show("nyuv2=rooms", "files.png"), from_pack = show("packed=rooms.h5", "pack.png");
    ASSERT_EQ(from_files.code, 0) << from_files.err;
    ASSERT_EQ(from_pack.code, 0) << from_pack.err;
    EXPECT_EQ(read_file(folder / "files.png"), read_file(folder / "pack.png"));

    const auto copied = run(pack + Words{"--codec", "copy", "--split", "test", "--limit", "1"});
    ASSERT_EQ(copied.code, 0) << copied.err;
    EXPECT_TRUE(contains(copied.err, "packed 1 of 1 frames")) << copied.err;
    EXPECT_EQ(show("packed=rooms.h5", "none.png").code, 2) << "it has no split train";
}

TEST(Pack, BadInputIsOneErrorAndNoFile) {
    const TemporaryFolder folder;
    const auto fails = [&](const Words& words, const std::string& part) {
        const auto outcome = run_program(Words{"data", "pack"} + words, folder.path(), kNoPython);
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
        EXPECT_FALSE(std::filesystem::exists(folder / "out.h5"));
    };
    fails({}, "required");
    fails({"nyuv=x", "out.h5"}, "did you mean");
    fails({"nyuv2=missing", "out.h5"}, "missing");
    const Words rooms = {"synthetic_rooms", "out.h5"};
    fails(rooms + Words{"--codec", "jpg"}, "did you mean 'jpeg'");
    fails(rooms + Words{"--size", "240"}, "--size");
    fails(rooms + Words{"--split", "train,"}, "--split");
    fails(rooms + Words{"--normals", "from_depth"}, "NYUv2");
    fails(rooms + Words{"--quality", "0"}, "jpeg_quality");
    fails({"synthetic_rooms", "no/out.h5", "--limit", "1"}, "no/out.h5");
}

TEST(Pack, HelpNamesEveryOption) {
    const TemporaryFolder folder;
    const auto help = run_program({"data", "pack", "--help"}, folder.path());
    EXPECT_EQ(help.code, 0);
    for (const char* option : {"--codec", "--size", "--limit", "--split", "--normals", "--threads"})
        EXPECT_TRUE(contains(help.out, option)) << option;
}

}  // namespace
}  // namespace mtlprune::pack_test
