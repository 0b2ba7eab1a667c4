#include "datasets/layouts/cityscapes_mtan.h"

#include "tests/datasets/mtan_files.h"

namespace mtlprune::cityscapes_mtan_test {
namespace {

namespace fs = std::filesystem;

constexpr int kHeight = 6, kWidth = 8;

cv::Mat inverse_depth(int number) {
    cv::Mat values;
    random_depth(kHeight, kWidth, 10 * number + 2).convertTo(values, CV_64F, 0.04);
    values.at<double>(0, 0) = 0.0;
    return values;
}

cv::Mat labels_of(int number, int classes) {
    return class_values(kHeight, kWidth, 10 * number + classes, classes, CV_64F);
}

class MtanFiles : public TemporaryFolder {
  public:
    explicit MtanFiles(const std::vector<std::pair<std::string, int>>& labels = {{"label_7", 7},
                                                                                 {"label_19", 19}}) {
        for (const char* split : {"train", "val"})
            for (int number = 0; number < 3; ++number) {
                const auto write = [&](const std::string& modality, const std::string& bytes) {
                    write_into(*this / split / modality / fmt::format("{}.npy", number), bytes);
                };
                write("image", npy_of_pixels(unit_pixels(random_pixels(kHeight, kWidth, 3, number)), "<f8"));
                for (const auto& [name, classes] : labels)
                    write(name, npy_of_pixels(labels_of(number, classes), "<f8"));
                write("depth", npy_bytes("<f8", false, "(6, 8, 1)",
                                         {reinterpret_cast<const char*>(inverse_depth(number).data),
                                          kHeight * kWidth * sizeof(double)}));
            }
    }
};

TEST(MtanCityscapes, ReadsBothSetsOfClasses) {
    const MtanFiles files;
    for (const int classes : {7, 19}) {
        const MtanCityscapes dataset({.folder = files.path(), .split = "val", .classes = classes});
        const std::vector<TaskSpec> tasks = {{"segmentation", TaskKind::segmentation, classes},
                                             {"inverse_depth", TaskKind::depth, 1, {}, true}};
        EXPECT_EQ(dataset.tasks(), tasks);
        ASSERT_EQ(dataset.size(), 3);
        const Sample sample = dataset.get(2);
        EXPECT_EQ(sample.id, "val/2");
        EXPECT_TRUE(equal(sample.labels[0].pixels, class_labels(labels_of(2, classes))));
        cv::Mat depth;
        inverse_depth(2).convertTo(depth, CV_32F);
        EXPECT_TRUE(equal(sample.labels[1].pixels, depth));
        EXPECT_EQ(sample.labels.size(), 2u);
        EXPECT_EQ(
            dataset.description(),
            fmt::format("Cityscapes (MTAN layout), split val, {} classes, inverse depth: 3 frames of 8x6",
                        classes));
    }
    const cv::Mat rgb = random_pixels(kHeight, kWidth, 3, 1);
    const cv::Mat image = MtanCityscapes({.folder = files.path()}).get(1).image;
    for (int c = 0; c < 3; ++c) EXPECT_EQ(image.at<cv::Vec3b>(3, 4)[2 - c], rgb.at<cv::Vec3b>(3, 4)[c]);
}

TEST(MtanCityscapes, FindsSevenClassesInTheFolderLabelOnly) {
    const MtanFiles files({{"label", 7}});
    EXPECT_TRUE(equal(MtanCityscapes({.folder = files.path()}).get(0).labels[0].pixels,
                      class_labels(labels_of(0, 7))));
    const auto message = error_of([&] { MtanCityscapes({.folder = files.path(), .classes = 19}); });
    EXPECT_NE(message.find((files / "train").string() + ": expected a folder label_19, found none"),
              std::string::npos)
        << message;
    EXPECT_NE(error_of([&] {
                  MtanCityscapes({.folder = files.path(), .classes = 8});
              }).find("expected 2, 7 or 19, found 8"),
              std::string::npos);
}

TEST(MtanCityscapes, NamesTheFileThatIsWrong) {
    const MtanFiles files;
    const auto get_error = [&] {
        const MtanCityscapes dataset({.folder = files.path()});
        return error_of([&] { dataset.get(1); });
    };
    const fs::path labels = files / "train/label_7/1.npy", depth = files / "train/depth/1.npy";
    write_bytes(labels, npy_of_pixels(labels_of(1, 19), "<f8"));
    EXPECT_NE(get_error().find(labels.string() + ": expected classes 0..6 or -1"), std::string::npos);
    write_bytes(labels, npy_of_pixels(class_values(kHeight, kWidth + 1, 1, 7, CV_64F), "<f8"));
    EXPECT_NE(get_error().find(labels.string() + ": expected 8x6"), std::string::npos);
    fs::resize_file(depth, fs::file_size(depth) - 8);
    EXPECT_NE(get_error().find(depth.string()), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::cityscapes_mtan_test
