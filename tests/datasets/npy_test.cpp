#include "datasets/npy.h"

#include <limits>

#include "tests/datasets/adashare_folder.h"

namespace mtlprune {
namespace {

const std::vector<float> kValues = {0.5f, 1.0f, 1.5f, 2.0f, 2.5f, 3.0f};

cv::Mat read(const std::string& bytes) {
    const TemporaryFolder folder;
    write_bytes(folder / "a.npy", bytes);
    return read_npy(folder / "a.npy");
}

std::string error_for(const std::string& bytes) {
    return error_of([&] { read(bytes); });
}

void expect_array(const cv::Mat& array, int rows, int columns, const std::vector<float>& row_major) {
    ASSERT_EQ(array.type(), CV_32FC1);
    ASSERT_EQ(array.rows, rows);
    ASSERT_EQ(array.cols, columns);
    for (int i = 0; i < rows * columns; ++i)
        EXPECT_EQ(array.at<float>(i / columns, i % columns), row_major[i]) << i;
}

TEST(Npy, ReadsRowsOfCOrder) {
    expect_array(read(npy_bytes("<f4", false, "(2, 3)", raw_bytes(kValues))), 2, 3, kValues);
}

TEST(Npy, ReadsColumnsOfFortranOrder) {
    expect_array(read(npy_bytes("<f4", true, "(2, 3)", raw_bytes(kValues))), 2, 3,
                 {0.5f, 1.5f, 2.5f, 1.0f, 2.0f, 3.0f});
}

TEST(Npy, RoundsFloat64) {
    const std::vector<double> values = {0.1, 1e-40, 2.0, 3.0, 4.0, 5.0};
    expect_array(read(npy_bytes("<f8", false, "(2, 3)", raw_bytes(values))), 2, 3,
                 {0.1f, static_cast<float>(1e-40), 2.0f, 3.0f, 4.0f, 5.0f});
    expect_array(read(npy_bytes("<f8", true, "(2, 3)", raw_bytes(values))), 2, 3,
                 {0.1f, 2.0f, 4.0f, static_cast<float>(1e-40), 3.0f, 5.0f});
}

TEST(Npy, DropsAnAxisOfLengthOne) {
    expect_array(read(npy_bytes("<f4", false, "(2, 3, 1)", raw_bytes(kValues))), 2, 3, kValues);
    expect_array(read(npy_bytes("<f4", false, "(1, 2, 3)", raw_bytes(kValues))), 2, 3, kValues);
    expect_array(read(npy_bytes("<f4", true, "(1, 2, 3)", raw_bytes(kValues))), 2, 3,
                 {0.5f, 1.5f, 2.5f, 1.0f, 2.0f, 3.0f});
}

TEST(Npy, ReadsFormatVersions2And3) {
    const std::string first = npy_bytes("<f4", false, "(2, 3)", raw_bytes(kValues));
    for (const char version : {'\x02', '\x03'}) {
        std::string bytes =
            first.substr(0, 10) + std::string(2, '\0') + first.substr(10);  // length in 4 bytes
        bytes[6] = version;
        expect_array(read(bytes), 2, 3, kValues);
    }
}

TEST(Npy, NamesTheSizeThatIsWrong) {
    const std::string bytes = npy_bytes("<f4", false, "(2, 3)", raw_bytes(kValues));
    const auto truncated = error_for(bytes.substr(0, bytes.size() - 1));
    EXPECT_NE(truncated.find("a.npy"), std::string::npos) << truncated;
    EXPECT_NE(truncated.find("expected 152 bytes for 2 x 3 values, found 151 bytes"), std::string::npos)
        << truncated;
    EXPECT_NE(error_for(bytes + "x").find("found 153 bytes"), std::string::npos);
}

TEST(Npy, ChecksTheDeclaredSizeBeforeTakingMemory) {
    const auto message = error_for(npy_bytes("<f8", false, "(1000000, 1000000)", "few"));
    EXPECT_NE(message.find("expected 8000000000128 bytes"), std::string::npos) << message;
    EXPECT_NE(error_for(npy_bytes("<f4", false, "(99999999999999999999, 1)", "")).find("lengths in"),
              std::string::npos);
}

TEST(Npy, RejectsOtherTypesAndShapes) {
    const std::string values = raw_bytes(kValues);
    for (const char* type : {">f4", "<i4", "|u1", "<f2", "<c8"}) {
        const auto message = error_for(npy_bytes(type, false, "(2, 3)", values));
        EXPECT_NE(message.find(fmt::format("expected values '<f4' or '<f8', found '{}'", type)),
                  std::string::npos)
            << message;
    }
    for (const char* shape : {"()", "(6,)", "(1, 2, 3, 1)", "(3, 2, 2)", "(0, 3)", "(-2, 3)", "[2, 3]"})
        EXPECT_NE(error_for(npy_bytes("<f4", false, shape, values)).find("a.npy"), std::string::npos)
            << shape;
}

TEST(Npy, RejectsWhatIsNoArray) {
    EXPECT_NE(error_for("").find(".npy file"), std::string::npos);
    EXPECT_NE(error_for("plain text, long enough").find(".npy file"), std::string::npos);
    std::string version = npy_bytes("<f4", false, "(2, 3)", raw_bytes(kValues));
    version[6] = '\x04';
    EXPECT_NE(error_for(version).find("found 4.0"), std::string::npos);
    std::string header = npy_bytes("<f4", false, "(2, 3)", raw_bytes(kValues));
    header[9] = '\x70';  // a header longer than the file
    EXPECT_NE(error_for(header).find("a header of"), std::string::npos);
    const auto keyless = npy_bytes("<f4", false, "(2, 3)", raw_bytes(kValues));
    EXPECT_NE(error_for(std::string(keyless).replace(keyless.find("descr"), 5, "DESCR")).find("'descr'"),
              std::string::npos);
}

TEST(Npy, NamesAMissingFile) {
    const auto message = error_of([] { read_npy("/nowhere/depth.npy"); });
    EXPECT_NE(message.find("/nowhere/depth.npy"), std::string::npos) << message;
    EXPECT_NE(message.find("No such file"), std::string::npos) << message;
    const TemporaryFolder folder;
    EXPECT_NE(error_of([&] { read_npy(folder.path()); }).find("directory"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune
