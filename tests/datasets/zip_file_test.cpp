#include "datasets/codecs/zip_file.h"

#include "base/atomic_file.h"
#include "tests/bad_input.h"
#include "tests/datasets/zip_writer.h"

namespace mtlprune::zip_file_test {
namespace {

namespace fs = std::filesystem;

const std::string kText = "id,train\rhanson,1\rhanson,1\rhanson,1\rhanson,1\rhanson,1\rhanson,1\r";

TEST(ZipFile, ReadsMembers) {
    const TemporaryFolder folder;
    write_zip(folder / "a.zip", {{"lists/", ""}, {"lists/tiny.csv", kText}, {"empty", ""}});
    EXPECT_EQ(zip_members(folder / "a.zip"), (std::vector<std::string>{"lists/", "lists/tiny.csv", "empty"}));
    EXPECT_EQ(read_zip_member(folder / "a.zip", "lists/tiny.csv"), kText);
    EXPECT_EQ(read_zip_member(folder / "a.zip", "empty"), "");
    const auto message = error_of([&] { read_zip_member(folder / "a.zip", "other.csv"); });
    EXPECT_NE(message.find((folder / "a.zip").string() + ": other.csv: cannot read"), std::string::npos)
        << message;
}

TEST(ZipFile, RefusesEveryTruncation) {
    const TemporaryFolder folder;
    write_zip(folder / "a.zip", {{"tiny.csv", kText}});
    const std::string whole = read_file(folder / "a.zip");
    for (size_t length = 0; length < whole.size(); ++length) {
        write_bytes(folder / "b.zip", whole.substr(0, length));
        EXPECT_NE(error_of([&] { read_zip_member(folder / "b.zip", "tiny.csv"); }).find("b.zip"),
                  std::string::npos)
            << length;
    }
}

TEST(ZipFile, NeverGivesOtherContentForFlippedBytes) {
    const TemporaryFolder folder;
    write_zip(folder / "a.zip", {{"tiny.csv", kText}});
    const std::string whole = read_file(folder / "a.zip");
    for (size_t i = 0; i < whole.size(); ++i) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
        write_bytes(folder / "b.zip", damaged);
        try {
            EXPECT_EQ(read_zip_member(folder / "b.zip", "tiny.csv"), kText) << i;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("b.zip"), std::string::npos) << error.what();
        }
    }
}

TEST(ZipFile, ChecksTheDeclaredSizeBeforeTakingMemory) {
    const TemporaryFolder folder;
    write_zip(folder / "a.zip", {{"tiny.csv", kText}});
    std::string bytes = read_file(folder / "a.zip");
    const size_t central = bytes.find("PK\x01\x02");
    ASSERT_NE(central, std::string::npos);
    // Uncompressed sizes of the local header (offset 22) and of the central directory (offset 24).
    for (const size_t at : {size_t{22}, central + 24}) bytes.replace(at, 4, "\xf0\xff\xff\x7f");
    write_bytes(folder / "b.zip", bytes);
    const auto message = error_of([&] { read_zip_member(folder / "b.zip", "tiny.csv"); });
    EXPECT_NE(message.find("at most 16777216 bytes, found 2147483632"), std::string::npos) << message;
}

TEST(ZipFile, NamesAMissingArchive) {
    EXPECT_NE(
        error_of([] { zip_members("/nowhere/a.zip"); }).find("/nowhere/a.zip: cannot read: No such file"),
        std::string::npos);
}

}  // namespace
}  // namespace mtlprune::zip_file_test
