#include "base/revision.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/machine.h"
#include "tests/temporary_folder.h"

namespace mtlprune::revision_test {
namespace {

namespace fs = std::filesystem;

bool shell(const std::string& command) {
    return std::system(("(" + command + ") >/dev/null 2>&1").c_str()) == 0;
}

/// What the build would write about a source folder.
struct Source {
    Source() { fs::create_directory(path()); }
    fs::path path() const { return folder / "source"; }
    fs::path written() const { return folder / "revision.cpp"; }
    std::string write() const {
        EXPECT_TRUE(shell("cmake -D SOURCE=" + path().string() + " -D VERSION=1.2.3 -D OUTPUT=" +
                          written().string() + " -P " MTLPRUNE_SOURCE_DIR "/cmake/write_revision.cmake"));
        const auto text = read_file(written());
        const auto start = text.find("{\"1.2.3\", \"");
        return start == std::string::npos ? text : text.substr(start, text.find('}') - start + 1);
    }
    bool git(const std::string& arguments) const {
        return shell("cd " + path().string() + " && git -c user.name=a -c user.email=a@b " + arguments);
    }
    TemporaryFolder folder;
};

TEST(Revision, OutsideGitIsUnknown) {
    const Source source;
    EXPECT_EQ(source.write(), "{\"1.2.3\", \"unknown\"}");
}

TEST(Revision, IsTheCommitAndSaysWhenFilesDiffer) {
    if (!shell("git --version")) GTEST_SKIP() << "no git";
    const Source source;
    write_file_atomically(source.path() / "a.cpp", "1");
    ASSERT_TRUE(source.git("init") && source.git("add a.cpp") && source.git("commit -m one"));
    const auto clean = source.write();
    EXPECT_EQ(clean.size(), std::string("{\"1.2.3\", \"\"}").size() + 12) << clean;
    EXPECT_EQ(clean.find_first_not_of("0123456789abcdef", std::string("{\"1.2.3\", \"").size()),
              clean.size() - 2);

    const auto time = fs::last_write_time(source.written()) - std::chrono::hours(1);
    fs::last_write_time(source.written(), time);
    write_file_atomically(source.path() / "notes", "not part of the program");
    EXPECT_EQ(source.write(), clean);
    EXPECT_EQ(fs::last_write_time(source.written()), time)
        << "written again: everything would be linked again";

    const auto changed = clean.substr(0, clean.size() - 2) + " + changes\"}";
    write_file_atomically(source.path() / "a.cpp", "2");
    EXPECT_EQ(source.write(), changed);
    ASSERT_TRUE(source.git("checkout a.cpp"));
    EXPECT_EQ(source.write(), clean);
    write_file_atomically(source.path() / "new.cpp", "3");
    EXPECT_EQ(source.write(), changed);
}

/// A source archive unpacked in a repository of something else.
TEST(Revision, OfARepositoryAroundTheSourceIsNotTaken) {
    if (!shell("git --version")) GTEST_SKIP() << "no git";
    const Source source;
    fs::create_directory(source.path() / "inner");
    write_file_atomically(source.path() / "inner" / "a.cpp", "1");
    ASSERT_TRUE(source.git("init") && source.git("add .") && source.git("commit -m one"));
    EXPECT_NE(source.write(), "{\"1.2.3\", \"unknown\"}");
    EXPECT_TRUE(shell("cmake -D SOURCE=" + (source.path() / "inner").string() +
                      " -D VERSION=1.2.3 -D OUTPUT=" + source.written().string() +
                      " -P " MTLPRUNE_SOURCE_DIR "/cmake/write_revision.cmake"));
    EXPECT_NE(read_file(source.written()).find("{\"1.2.3\", \"unknown\"}"), std::string::npos);
}

TEST(Revision, StandsInTheMachinesDescription) {
    const auto& program = this_program();
    EXPECT_NE(program.version, "");
    EXPECT_NE(program.revision, "");
    EXPECT_EQ(recorded_program(machine_description(), "env.json"), program);
}

}  // namespace
}  // namespace mtlprune::revision_test
