// Event files: the bytes that the format prescribes, and what TensorBoard's package reads from them.
#include "reproduce/results/event_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

#include "base/atomic_file.h"
#include "tests/temporary_folder.h"

namespace mtlprune::event_file_test {
namespace {

/// RFC 3720, B.4, and the check value of the catalogue of CRCs.
TEST(EventFile, ChecksumsAreThoseOfTheStandard) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

/// 0x09 wall time, 0x10 step, 0x2a summary {0x0a value {0x0a tag, 0x15 number}}
TEST(EventFile, RecordsAreProtocolBuffers) {
    const auto record = event_record(1.0, 300, {{"a", 0.5F}});
    const std::string event(
        "\x09\0\0\0\0\0\0\xf0\x3f\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01"
        "a\x15\0\0\0\x3f",
        24);
    uint64_t length = 0;
    std::memcpy(&length, record.data(), sizeof(length));
    ASSERT_EQ(length, event.size());
    ASSERT_EQ(record.size(), event.size() + 16);
    EXPECT_EQ(record.substr(12, event.size()), event);
    uint32_t checksum = 0;
    std::memcpy(&checksum, record.data() + 12 + event.size(), sizeof(checksum));
    const uint32_t plain = crc32c(event);
    EXPECT_EQ(checksum, ((plain >> 15) | (plain << 17)) + 0xa282ead8U);
}

TEST(EventFile, TensorBoardReadsIt) {
    const TemporaryFolder folder;
    const auto path = folder / kEventFileName;
    write_file_atomically(path, event_file_start(1e9) + event_record(1e9 + 1, 10, {{"loss/depth", 0.25F}}) +
                                    event_record(1e9 + 2, 20, {{"loss/depth", 0.125F}, {"rate", 2.0F}}));
    const std::string script = std::string(MTLPRUNE_SOURCE_DIR) + "/tests/reproduce/read_events.py";
    const auto output = folder / "output";
    const int status = std::system(
        ("python3 '" + script + "' '" + path.string() + "' > '" + output.string() + "' 2>/dev/null").c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "Python has no tensorboard";
    ASSERT_EQ(status, 0);
    EXPECT_EQ(read_file(output), "10 loss/depth 0.25\n20 loss/depth 0.125\n20 rate 2.0\n");
}

}  // namespace
}  // namespace mtlprune::event_file_test
