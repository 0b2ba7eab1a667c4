#include "base/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/codecs/image_file.h"
#include "datasets/codecs/npy.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::input_file_test {
namespace {

namespace fs = std::filesystem;

/// What every reader of single files says about one that cannot be read.
void expect_refused(const fs::path& path, const std::string& reason) {
    const std::function<void()> readers[] = {[&] { InputFile(path, "frame"); },
                                             [&] { read_colour_image(path); }, [&] { read_npy(path); }};
    for (const auto& read : readers) {
        const auto message = error_of(read);
        EXPECT_NE(message.find(path.string()), std::string::npos) << message;
        EXPECT_NE(message.find(reason), std::string::npos) << message;
    }
}

TEST(InputFile, ReadsAnyPartAndNamesWhatIsMissing) {
    const TemporaryFolder folder;
    write_bytes(folder / "a", "0123456789");
    const InputFile file(folder / "a", "frame");
    EXPECT_EQ(file.size(), 10);
    std::string part(4, '?');
    file.read(part.data(), 4, 3);
    EXPECT_EQ(part, "3456");
    EXPECT_EQ(file.read_up_to(part.data(), 4, 8), 2u);
    const auto message = error_of([&] { file.read(part.data(), 4, 8); });
    EXPECT_NE(message.find("expected 4 bytes at 8, found 2"), std::string::npos) << message;
}

TEST(InputFile, FoldersMissingFilesAndLoopsAreRefused) {
    const TemporaryFolder folder;
    fs::create_directory(folder / "folder");
    fs::create_symlink("loop", folder / "loop");
    expect_refused(folder / "folder", "Is a directory");
    expect_refused(folder / "missing", "No such file or directory");
    expect_refused(folder / "loop", "Too many levels of symbolic links");
}

TEST(InputFile, PipesAreRefusedAtOnce) {
    const TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    expect_refused(folder / "pipe", "expected a file, found a pipe or device");
}

TEST(InputFile, AFileWithoutPermissionIsRefused) {
    const TemporaryFolder folder;
    write_bytes(folder / "secret", "x");
    fs::permissions(folder / "secret", fs::perms::none);
    if (::access((folder / "secret").c_str(), R_OK) == 0)
        GTEST_SKIP() << "this user may read everything (root)";
    expect_refused(folder / "secret", "Permission denied");
}

}  // namespace
}  // namespace mtlprune::input_file_test
