#include "base/text_file.h"

#include <sys/resource.h>

#include "base/atomic_file.h"
#include "base/file_content.h"
#include "base/input_file.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::text_file_test {
namespace {

void expect_names(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(ReadFile, AReadErrorIsNotTheEndOfTheFile) {
    const TemporaryFolder folder;
    // The first page of a process is never mapped: opening succeeds, reading does not.
    std::filesystem::create_symlink("/proc/self/mem", folder / "list.json");
    const auto message = error_of([&] { read_file(folder / "list.json", "NYUv2 list"); });
    expect_names(message, "list.json: cannot read NYUv2 list: Input/output error");
    expect_names(error_of([&] { read_text(folder / "list.json", "NYUv2 list"); }), "Input/output error");
}

TEST(ReadFile, FilesOfUnknownAndOfAnyLengthAreReadWhole) {
    const TemporaryFolder folder;
    for (const size_t length :
         {size_t{0}, size_t{1}, size_t{16383}, size_t{16384}, size_t{16385}, size_t{100000}}) {
        const std::string content(length, 'x');
        write_bytes(folder / "a", content);
        EXPECT_EQ(read_file(folder / "a"), content);
    }
    EXPECT_NE(read_file("/proc/self/status").find("Name:"), std::string::npos);
}

/// Limits the memory of this process while it lives.
class MemoryLimit {
  public:
    explicit MemoryLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_AS, &before_);
        rlimit limit = before_;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_AS, &limit);
    }
    ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;

  private:
    rlimit before_{};
};

TEST(ReadFile, TooLittleMemoryIsNamed) {
    const TemporaryFolder folder;
    write_bytes(folder / "list", "");
    constexpr uintmax_t kHole = uintmax_t{1} << 40;
    std::filesystem::resize_file(folder / "list", kHole);
    const MemoryLimit limit(rlim_t{1} << 38);
    expect_names(error_of([&] { read_file(folder / "list", "list"); }),
                 "list: cannot read list: Cannot allocate");
    expect_names(error_of([&] { InputFile(folder / "list", "image").read_all(); }), "Cannot allocate memory");
}

TEST(ReadText, PassesOverAByteOrderMark) {
    const TemporaryFolder folder;
    write_bytes(folder / "a", "\xef\xbb\xbfid,train");
    EXPECT_EQ(read_text(folder / "a", "list"), "id,train");
    write_bytes(folder / "a", "");
    EXPECT_EQ(read_text(folder / "a", "list"), "");
}

TEST(ReadText, NamesWhatStandsInTheFilesPlace) {
    const TemporaryFolder folder;
    write_bytes(folder / "a", "\n <HTML><body>Not found</body></HTML>");
    expect_names(error_of([&] { read_text(folder / "a", "list"); }),
                 "found an HTML page: the download failed");
    write_bytes(folder / "a", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n");
    expect_names(error_of([&] { read_text(folder / "a", "list"); }), "a Git LFS pointer: run git lfs pull");
}

TEST(ContentText, NamesFilesByTheirFirstBytes) {
    const std::pair<std::string, std::string> cases[] = {
        {"\x1f\x8b\x08", "gzip-compressed data"},
        {"\x89PNG\r\n", "a PNG file"},
        {"\xff\xd8\xff\xe0", "a JPEG file"},
        {"\x93NUMPY", "a NumPy array"},
        {"\x89HDF\r\n", "an HDF5 file"},
        {std::string(257, '\0') + "ustar", "a tar archive: unpack it"},
        {"abc", "3 bytes of something else"},
        {"", "an empty file"}};
    for (const auto& [bytes, text] : cases)
        EXPECT_EQ(content_text(bytes, static_cast<int64_t>(bytes.size())), text);
}

}  // namespace
}  // namespace mtlprune::text_file_test
