#include "base/atomic_file.h"

#include <fstream>

#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::atomic_file_test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    return names;
}

TEST(AtomicFile, WritesAllBytesAndLeavesNothingElse) {
    const TemporaryFolder folder;
    const std::string content("line\n\0\xff tail", 12);
    write_file_atomically(folder / "a.bin", content);
    EXPECT_EQ(read_file(folder / "a.bin"), content);
    EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"a.bin"});
}

TEST(AtomicFile, ReplacesTheOldContent) {
    const TemporaryFolder folder;
    write_file_atomically(folder / "a", "the longer old content");
    write_file_atomically(folder / "a", "new");
    EXPECT_EQ(read_file(folder / "a"), "new");
    write_file_atomically(folder / "a", "");
    EXPECT_EQ(read_file(folder / "a"), "");
}

TEST(AtomicFile, KeepsTheOldFileAndNamesItWhenWritingFails) {
    const TemporaryFolder folder;
    const auto missing = folder / "no_such_folder/a";
    const auto message = error_of([&] { write_file_atomically(missing, "x"); });
    EXPECT_NE(message.find(missing.string()), std::string::npos) << message;
    EXPECT_NE(message.find("No such file or directory"), std::string::npos) << message;

    fs::create_directory(folder /
                         "occupied");  // renaming a file over a folder fails after the file was written
    EXPECT_NE(error_of([&] { write_file_atomically(folder / "occupied", "x"); }).find("occupied"),
              std::string::npos);
    EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"occupied"});
}

TEST(AtomicFile, ReadingNamesTheFileAndTheReason) {
    const auto message = error_of([] { read_file("/nowhere/list.json", "NYUv2 list"); });
    EXPECT_NE(message.find("/nowhere/list.json"), std::string::npos) << message;
    EXPECT_NE(message.find("NYUv2 list"), std::string::npos) << message;
    EXPECT_NE(message.find("No such file"), std::string::npos) << message;
    const TemporaryFolder folder;
    EXPECT_NE(error_of([&] { read_file(folder.path()); }).find("expected a file, found a folder"),
              std::string::npos);
}

TEST(AtomicFile, MakesNestedFoldersAndReportsAFileInTheWay) {
    const TemporaryFolder folder;
    make_folder(folder / "a/b/c");
    make_folder(folder / "a/b/c");
    EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
    write_file_atomically(folder / "file", "x");
    EXPECT_NE(error_of([&] { make_folder(folder / "file/inside"); }).find("file/inside"), std::string::npos);
}

TEST(AtomicFile, HashesAsSha256) {
    // FIPS 180-2, appendix B.1, and the empty message.
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace mtlprune::atomic_file_test
