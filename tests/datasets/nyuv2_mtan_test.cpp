#include "datasets/layouts/nyuv2_mtan.h"

#include <cmath>
#include <cstdlib>

#include "tests/datasets/mtan_files.h"

namespace mtlprune::nyuv2_mtan_test {
namespace {

namespace fs = std::filesystem;

constexpr int kHeight = 6, kWidth = 8;

cv::Mat rgb_of(int number) {
    return random_pixels(kHeight, kWidth, 3, 10 * number);
}
cv::Mat classes_of(int number) {
    return class_values(kHeight, kWidth, 10 * number + 1, 13, CV_64F);
}
cv::Mat depth_of(int number) {
    return random_depth(kHeight, kWidth, 10 * number + 2);
}

/// Half of the pixels face the camera, the others have no normal.
cv::Mat vectors_of(int number) {
    Random random(10 * number + 3);
    cv::Mat vectors(kHeight, kWidth, CV_64FC3, cv::Scalar::all(0));
    for (int i = 0; i < kHeight * kWidth; i += 2) {
        const cv::Vec3d v(random.uniform(-0.3, 0.3), random.uniform(-0.3, 0.3), -1.0);
        vectors.ptr<cv::Vec3d>()[i] = v / cv::norm(v);
    }
    return vectors;
}

class MtanFiles : public TemporaryFolder {
  public:
    MtanFiles() {
        for (int number = 0; number < 11; ++number) add("train", number);
        add("val", 0);
    }
    void add(const std::string& split, int number) const {
        const auto name = fmt::format("{}.npy", number);
        write_into(*this / split / "image" / name, npy_of_pixels(unit_pixels(rgb_of(number)), "<f8"));
        write_into(*this / split / "label" / name, npy_of_pixels(classes_of(number), "<f8"));
        write_into(*this / split / "depth" / name, depth_bytes(number));
        write_into(*this / split / "normal" / name, npy_of_pixels(vectors_of(number), "<f8"));
    }
    fs::path file(const std::string& modality) const { return *this / "train" / modality / "3.npy"; }

  private:
    static std::string depth_bytes(int number) {
        const cv::Mat depth = depth_of(number);
        return npy_bytes("<f4", false, fmt::format("({}, {}, 1)", kHeight, kWidth),
                         {reinterpret_cast<const char*>(depth.data), depth.total() * sizeof(float)});
    }
};

std::string get_error(const MtanFiles& files) {
    const MtanNyuv2 dataset({.folder = files.path()});
    return error_of([&] { dataset.get(3); });
}

void expect_names(const std::string& message, const fs::path& file, const std::string& part) {
    EXPECT_NE(message.find(file.string()), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(MtanNyuv2, ReadsAllModalities) {
    const MtanFiles files;
    const MtanNyuv2 dataset({.folder = files.path()});
    EXPECT_EQ(dataset.size(), 11);
    EXPECT_EQ(dataset.tasks(), nyuv2_tasks(13));
    const Sample sample = dataset.get(10);
    EXPECT_EQ(sample.id, "train/10");
    for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x)
            for (int c = 0; c < 3; ++c)
                EXPECT_EQ(sample.image.at<cv::Vec3b>(y, x)[2 - c], rgb_of(10).at<cv::Vec3b>(y, x)[c]);
    EXPECT_TRUE(equal(sample.labels[0].pixels, class_labels(classes_of(10))));
    EXPECT_TRUE(equal(sample.labels[2].pixels, depth_of(10)));
    cv::Mat vectors;
    vectors_of(10).convertTo(vectors, CV_32F);
    ASSERT_EQ(sample.labels[1].pixels.type(), CV_32FC3);
    EXPECT_LT(cv::norm(sample.labels[1].pixels, vectors, cv::NORM_INF), 1e-6);
    EXPECT_EQ(dataset.description(), "NYUv2 (MTAN layout), split train: 11 frames of 8x6");
}

TEST(MtanNyuv2, CallsTheValidationSplitTestToo) {
    const MtanFiles files;
    EXPECT_EQ(MtanNyuv2({.folder = files.path(), .split = "val"}).size(), 1);
    const MtanNyuv2 test({.folder = files.path(), .split = "test"});
    EXPECT_EQ(test.get(0).id, "val/0");
    EXPECT_NE(error_of([&] { MtanNyuv2({.folder = files.path(), .split = "trian"}); }).find("found 'trian'"),
              std::string::npos);
}

TEST(MtanNyuv2, OrdersFramesByNumberAndTakesEvenlySpacedOnes) {
    const MtanFiles files;
    const MtanNyuv2 dataset({.folder = files.path(), .limit = 3});
    ASSERT_EQ(dataset.size(), 3);
    EXPECT_EQ(dataset.get(1).id, "train/3");
    EXPECT_EQ(dataset.id(1), dataset.get(1).id);
    EXPECT_EQ(dataset.get(2).id, "train/7");
    EXPECT_NE(error_of([&] { MtanNyuv2({.folder = files.path(), .limit = 12}); }).find("0..11, found 12"),
              std::string::npos);
    EXPECT_NE(error_of([&] { dataset.get(3); }).find("0..2, found 3"), std::string::npos);
}

TEST(MtanNyuv2, NamesGapsAndOddNamesAmongTheFrames) {
    const MtanFiles files;
    const auto open_error = [&] { return error_of([&] { MtanNyuv2({.folder = files.path()}); }); };
    fs::rename(files.file("image"), files / "train/image/.hidden.npy");
    expect_names(open_error(), files / "train/image", "expected file 3.npy (0..10 without gaps)");
    for (const char* name : {"three.npy", "03.npy", "-3.npy", "3x.npy", "99999999999999999999.npy"}) {
        write_bytes(files / "train/image" / name, "");
        expect_names(open_error(), files / "train/image" / name, "a name like 0.npy");
        fs::remove(files / "train/image" / name);
    }
    fs::remove_all(files / "train/image");
    expect_names(open_error(), files / "train/image", "No such file");
    fs::create_directory(files / "train/image");
    expect_names(open_error(), files / "train/image", "found none");
    fs::remove(files / "train/image");
    fs::create_directory_symlink("image", files / "train/image");
    expect_names(open_error(), files / "train/image", "symbolic links");
}

TEST(MtanNyuv2, AcceptsTheOtherTypesOfArrays) {
    const MtanFiles files;
    cv::Mat image, vectors, labels = classes_of(3);
    unit_pixels(rgb_of(3)).convertTo(image, CV_32F);
    vectors_of(3).convertTo(vectors, CV_32F);
    const MtanNyuv2 dataset({.folder = files.path()});
    const Sample expected = dataset.get(3);
    write_bytes(files.file("image"), npy_of_pixels(image, "<f4"));
    write_bytes(files.file("normal"), npy_of_pixels(vectors, "<f4"));
    labels.convertTo(labels, CV_8S);
    write_bytes(files.file("label"), npy_of_pixels(labels, "|i1"));
    const Sample narrow = dataset.get(3);
    EXPECT_TRUE(equal(narrow.image, expected.image));
    EXPECT_TRUE(equal(narrow.labels[0].pixels, expected.labels[0].pixels));
    EXPECT_LT(cv::norm(narrow.labels[1].pixels, expected.labels[1].pixels, cv::NORM_INF), 1e-6);
    write_bytes(files.file("image"), npy_of_pixels(rgb_of(3), "|u1"));
    write_bytes(files.file("label"), npy_of_pixels(expected.labels[0].pixels, "|u1"));
    EXPECT_TRUE(equal(dataset.get(3).image, expected.image));
    EXPECT_TRUE(equal(dataset.get(3).labels[0].pixels, expected.labels[0].pixels));
}

TEST(MtanNyuv2, NamesValuesOutOfRange) {
    const MtanFiles files;
    cv::Mat image = unit_pixels(rgb_of(3)) * 255.0;
    write_bytes(files.file("image"), npy_of_pixels(image, "<f8"));
    expect_names(get_error(files), files.file("image"), "values in 0..1");
    files.add("train", 3);
    for (const double wrong : {13.0, -2.0, 0.5, std::nan("")}) {
        cv::Mat labels = classes_of(3);
        labels.at<double>(4, 5) = wrong;
        write_bytes(files.file("label"), npy_of_pixels(labels, "<f8"));
        expect_names(get_error(files), files.file("label"), "classes 0..12 or -1, found");
        expect_names(get_error(files), files.file("label"), "at row 4, column 5");
    }
    files.add("train", 3);
    cv::Mat depth = depth_of(3);
    depth.at<float>(1, 2) = -1.0f;
    write_bytes(files.file("depth"), npy_of(depth));
    expect_names(get_error(files), files.file("depth"), "found -1 at row 1, column 2");
    files.add("train", 3);
    write_bytes(files.file("normal"), npy_of_pixels(vectors_of(3) * 2.0, "<f8"));
    expect_names(get_error(files), files.file("normal"), "unit vectors");
}

TEST(MtanNyuv2, NamesOtherShapesAndSizes) {
    const MtanFiles files;
    write_bytes(files.file("image"), npy_of_pixels(unit_pixels(random_pixels(kHeight, kWidth, 4, 1)), "<f8"));
    expect_names(get_error(files), files.file("image"), "expected shape (H, W, 3), found (6, 8, 4)");
    write_bytes(files.file("image"), npy_of_pixels(cv::Mat(kHeight, kWidth, CV_32SC3), "<i4"));
    expect_names(get_error(files), files.file("image"), "float values");
    files.add("train", 3);
    write_bytes(files.file("label"), npy_of_pixels(unit_pixels(rgb_of(3)), "<f8"));
    expect_names(get_error(files), files.file("label"), "expected shape (H, W), found (6, 8, 3)");
    files.add("train", 3);
    write_bytes(files.file("depth"), npy_of(random_depth(kWidth, kHeight, 1)));
    expect_names(get_error(files), files.file("depth"), "expected 8x6 as " + files.file("image").string());
}

TEST(MtanNyuv2, NamesTruncatedMissingAndHugeArrays) {
    const MtanFiles files;
    const MtanNyuv2 dataset({.folder = files.path()});
    const auto get_error = [&] { return error_of([&] { dataset.get(3); }); };
    for (const char* modality : {"image", "label", "depth", "normal"}) {
        const fs::path file = files.file(modality);
        const auto size = fs::file_size(file);
        for (const uintmax_t length : {size - 1, uintmax_t{128}, uintmax_t{60}, uintmax_t{9}, uintmax_t{0}}) {
            fs::resize_file(file, length);
            expect_names(get_error(), file, "expected");
        }
        write_bytes(file, npy_bytes("<f8", false, "(1000000, 1000000)", "few"));
        expect_names(get_error(), file, "expected 8000000000128 bytes");
        fs::remove(file);
        expect_names(get_error(), file, "No such file");
        fs::create_symlink(file.filename(), file);
        expect_names(get_error(), file, "symbolic links");
        fs::remove(file);
        files.add("train", 3);
    }
}

TEST(MtanNyuv2, RefusesNormalsThatPointAwayFromTheCamera) {
    const MtanFiles files;
    write_bytes(files.file("normal"), npy_of_pixels(vectors_of(3) * -1.0, "<f8"));
    expect_names(get_error(files), files.file("normal"),
                 "found 0 % that do; its axes are not 'right down forward': say which, e.g. --set "
                 "data.normal_axes=");
    const Sample turned = MtanNyuv2({.folder = files.path(), .normal_axes = "left up backward"}).get(3);
    cv::Mat expected;
    vectors_of(3).convertTo(expected, CV_32F);
    EXPECT_LT(cv::norm(turned.labels[1].pixels, expected, cv::NORM_INF), 1e-6);
}

}  // namespace
}  // namespace mtlprune::nyuv2_mtan_test
