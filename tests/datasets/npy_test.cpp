#include "datasets/codecs/npy.h"

#include <limits>

#include "tests/datasets/adashare_folder.h"

namespace mtlprune::npy_test {
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

cv::Mat pixels_of(const std::string& bytes) {
    const TemporaryFolder folder;
    write_bytes(folder / "a.npy", bytes);
    return read_npy_pixels(folder / "a.npy");
}

std::string pixels_error(const std::string& bytes) {
    return error_of([&] { pixels_of(bytes); });
}

/// 1, 2, ... 6 in one type, (2, 3), C order, as doubles.
template <typename T>
void expect_type(const std::string& name, int depth) {
    const std::vector<T> values = {1, 2, 3, 4, 5, 6};
    cv::Mat pixels = pixels_of(npy_bytes(name, false, "(2, 3)", raw_bytes(values)));
    ASSERT_EQ(pixels.type(), CV_MAKETYPE(depth, 1)) << name;
    ASSERT_EQ(pixels.size(), cv::Size(3, 2)) << name;
    pixels.convertTo(pixels, CV_64F);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(pixels.at<double>(i / 3, i % 3), i + 1) << name;
}

TEST(NpyPixels, KeepsTheTypeOfTheValues) {
    expect_type<uint8_t>("|u1", CV_8U);
    expect_type<int8_t>("|i1", CV_8S);
    expect_type<uint16_t>("<u2", CV_16U);
    expect_type<int16_t>("<i2", CV_16S);
    expect_type<int32_t>("<i4", CV_32S);
    expect_type<int64_t>("<i8", CV_32S);
    expect_type<float>("<f4", CV_32F);
    expect_type<double>("<f8", CV_64F);
}

TEST(NpyPixels, WidensFloat16) {
    const std::vector<uint16_t> halves = {0x3c00, 0xbc00, 0x3800, 0x0000, 0x7bff, 0x3555};
    const cv::Mat pixels = pixels_of(npy_bytes("<f2", false, "(2, 3)", raw_bytes(halves)));
    expect_array(pixels, 2, 3, {1.0f, -1.0f, 0.5f, 0.0f, 65504.0f, 0.333251953125f});
}

TEST(NpyPixels, ReadsChannelsInBothOrders) {
    // Element (y, x, c) is 100 y + 10 x + c.
    std::vector<int16_t> c_order, fortran_order;
    for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 5; ++x)
            for (int c = 0; c < 3; ++c) c_order.push_back(static_cast<int16_t>(100 * y + 10 * x + c));
    for (int c = 0; c < 3; ++c)
        for (int x = 0; x < 5; ++x)
            for (int y = 0; y < 2; ++y) fortran_order.push_back(static_cast<int16_t>(100 * y + 10 * x + c));
    for (const bool fortran : {false, true}) {
        const cv::Mat pixels =
            pixels_of(npy_bytes("<i2", fortran, "(2, 5, 3)", raw_bytes(fortran ? fortran_order : c_order)));
        ASSERT_EQ(pixels.type(), CV_16SC3);
        ASSERT_EQ(pixels.size(), cv::Size(5, 2));
        for (int y = 0; y < 2; ++y)
            for (int x = 0; x < 5; ++x)
                for (int c = 0; c < 3; ++c) EXPECT_EQ(pixels.at<cv::Vec3s>(y, x)[c], 100 * y + 10 * x + c);
    }
}

TEST(NpyPixels, KeepsNegativeAndLargeIntegersOf64Bits) {
    const std::vector<int64_t> values = {-1, -2147483648LL, 2147483647LL, 0, 5, 12};
    for (const bool fortran : {false, true}) {
        const cv::Mat pixels = pixels_of(npy_bytes("<i8", fortran, "(1, 6)", raw_bytes(values)));
        ASSERT_EQ(pixels.type(), CV_32SC1);
        for (int i = 0; i < 6; ++i) EXPECT_EQ(pixels.at<int32_t>(0, i), values[i]);
    }
    for (const int64_t wide : {2147483648LL, -2147483649LL}) {
        const auto message = pixels_error(npy_bytes("<i8", false, "(1, 2)", raw_bytes<int64_t>({0, wide})));
        EXPECT_NE(message.find(fmt::format("at most 32 bits, found {} as value 1", wide)), std::string::npos)
            << message;
    }
}

TEST(NpyPixels, RejectsOtherTypesShapesAndSizes) {
    const std::string values(24, 'x');
    for (const char* type : {">f4", "<c8", "|b1", "<u8", "|O", "<U3"})
        EXPECT_NE(pixels_error(npy_bytes(type, false, "(2, 3)", values)).find("expected values '|u1', "),
                  std::string::npos)
            << type;
    for (const char* shape : {"()", "(24,)", "(2, 2, 6)", "(1, 2, 3, 4)", "(0, 3)"})
        EXPECT_NE(pixels_error(npy_bytes("|u1", false, shape, values)).find("a.npy"), std::string::npos)
            << shape;
    const auto huge = pixels_error(npy_bytes("<i8", true, "(1000000, 1000000, 4)", values));
    EXPECT_NE(huge.find("expected 32000000000128 bytes for 1000000 x 1000000 x 4 values"), std::string::npos)
        << huge;
    const std::string whole = npy_bytes("|u1", false, "(2, 3, 4)", values);
    for (size_t length = 0; length < whole.size(); ++length)
        EXPECT_NE(pixels_error(whole.substr(0, length)), "") << length;
}

}  // namespace
}  // namespace mtlprune::npy_test
