#include "datasets/layouts/cityscapes.h"

#include "datasets/layouts/cityscapes_labels.h"
#include "tests/datasets/mtan_files.h"

namespace mtlprune::cityscapes_test {
namespace {

namespace fs = std::filesystem;

constexpr int kHeight = 4, kWidth = 9;

/// Every id once, then the licence plate's 255.
cv::Mat ids() {
    cv::Mat pixels(kHeight, kWidth, CV_8UC1, cv::Scalar(255));
    for (int id = 0; id < 34; ++id) pixels.data[id] = static_cast<uint8_t>(id);
    return pixels;
}

cv::Mat disparity_codes() {
    cv::Mat codes(kHeight, kWidth, CV_16UC1, cv::Scalar(12801));
    codes.at<uint16_t>(0, 0) = 0;
    codes.at<uint16_t>(0, 1) = 1;
    codes.at<uint16_t>(0, 2) = 257;
    codes.at<uint16_t>(0, 3) = 65535;
    return codes;
}

class CityscapesFiles : public TemporaryFolder {
  public:
    explicit CityscapesFiles(bool camera) {
        add("val", "lindau", "lindau_000001_000019", camera);
        add("val", "frankfurt", "frankfurt_000000_001016", camera);
        add("val", "frankfurt", "frankfurt_000000_000294", camera);
        write_into(*this / "leftImg8bit/val/readme.txt", "no city");
        write_into(*this / "leftImg8bit/val/lindau/notes.txt", "no frame");
    }
    void add(const std::string& split, const std::string& city, const std::string& frame, bool camera) const {
        const auto file = [&](const char* folder, const char* ending) {
            const fs::path path = *this / folder / split / city / (frame + ending);
            fs::create_directories(path.parent_path());
            return path.string();
        };
        cv::imwrite(file("leftImg8bit", "_leftImg8bit.png"), random_pixels(kHeight, kWidth, 3, 1));
        cv::imwrite(file("gtFine", "_gtFine_labelIds.png"), ids());
        cv::imwrite(file("disparity", "_disparity.png"), disparity_codes());
        if (camera)
            write_bytes(
                file("camera", "_camera.json"),
                R"({"extrinsic": {"baseline": 0.25, "pitch": 0.04}, "intrinsic": {"fx": 2000, "fy": 2100}})");
    }
    fs::path file(const std::string& folder, const std::string& ending) const {
        return *this / folder / "val/frankfurt" / ("frankfurt_000000_000294" + ending);
    }
};

std::string get_error(const CityscapesFiles& files) {
    const Cityscapes dataset({.folder = files.path(), .split = "val"});
    return error_of([&] { dataset.get(0); });
}

void expect_names(const std::string& message, const fs::path& file, const std::string& part) {
    EXPECT_NE(message.find(file.string()), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(CityscapesLabels, MapsIdsToTheTrainIdsOfTheBenchmark) {
    // cityscapesScripts, helpers/labels.py: ids 0..33, then the licence plate.
    const std::vector<int> train_ids = {255, 255, 255, 255, 255, 255, 255, 0,  1,  255, 255, 2,
                                        3,   4,   255, 255, 255, 5,   255, 6,  7,  8,   9,   10,
                                        11,  12,  13,  14,  15,  255, 255, 16, 17, 18,  255, 255};
    const std::vector<int> categories = {255, 255, 255, 255, 255, 255, 255, 0, 0, 255, 255, 1,
                                         1,   1,   255, 255, 255, 2,   255, 2, 2, 3,   3,   4,
                                         5,   5,   6,   6,   6,   255, 255, 6, 6, 6,   255, 255};
    const cv::Mat nineteen = map_cityscapes_ids(ids(), 19, ""), seven = map_cityscapes_ids(ids(), 7, "");
    for (int i = 0; i < kHeight * kWidth; ++i) {
        EXPECT_EQ(nineteen.data[i], train_ids[i]) << i;
        EXPECT_EQ(seven.data[i], categories[i]) << i;
    }
    EXPECT_EQ(cityscapes_class_names(19)[10], "sky");
    EXPECT_EQ(cityscapes_class_names(19)[18], "bicycle");
    EXPECT_EQ(cityscapes_class_names(7)[4], "sky");
    EXPECT_EQ(cityscapes_class_names(7).size(), 7u);
}

TEST(Cityscapes, ListsFramesCityByCity) {
    const CityscapesFiles files(false);
    const Cityscapes dataset({.folder = files.path(), .split = "val"});
    ASSERT_EQ(dataset.size(), 3);
    EXPECT_EQ(dataset.get(0).id, "frankfurt/frankfurt_000000_000294");
    EXPECT_EQ(dataset.get(1).id, "frankfurt/frankfurt_000000_001016");
    EXPECT_EQ(dataset.id(1), dataset.get(1).id);
    EXPECT_EQ(dataset.get(2).id, "lindau/lindau_000001_000019");
    EXPECT_EQ(Cityscapes({.folder = files.path(), .split = "val", .limit = 2}).get(1).id,
              "frankfurt/frankfurt_000000_001016");
}

TEST(Cityscapes, GivesInverseDepthWithoutCamera) {
    const CityscapesFiles files(false);
    const Cityscapes dataset({.folder = files.path(), .split = "val"});
    EXPECT_EQ(dataset.tasks()[1], (TaskSpec{"inverse_depth", TaskKind::depth, 1, {}, true}));
    const Sample sample = dataset.get(0);
    EXPECT_EQ(sample.labels[1].pixels.at<float>(0, 0), 0.0f);
    EXPECT_FLOAT_EQ(sample.labels[1].pixels.at<float>(0, 2), 257.0f / 65535.0f);
    EXPECT_FLOAT_EQ(sample.labels[1].pixels.at<float>(0, 3), 1.0f);
    EXPECT_FLOAT_EQ(sample.labels[1].pixels.at<float>(3, 8), 12801.0f / 65535.0f);
    EXPECT_TRUE(equal(sample.image, random_pixels(kHeight, kWidth, 3, 1)));
    EXPECT_TRUE(equal(sample.labels[0].pixels, map_cityscapes_ids(ids(), 19, "")));
    EXPECT_EQ(dataset.description(), "Cityscapes, split val, 19 classes, inverse depth: 3 frames of 9x4");
}

TEST(Cityscapes, GivesMetresWithCamera) {
    const CityscapesFiles files(true);
    const Cityscapes dataset({.folder = files.path(), .split = "val", .classes = 7});
    EXPECT_EQ(dataset.tasks()[0], (TaskSpec{"segmentation", TaskKind::segmentation, 7}));
    EXPECT_EQ(dataset.tasks()[1], (TaskSpec{"depth", TaskKind::depth, 1}));
    const cv::Mat depth = dataset.get(0).labels[1].pixels;
    EXPECT_EQ(depth.at<float>(0, 0), 0.0f);          // missing
    EXPECT_EQ(depth.at<float>(0, 1), 0.0f);          // disparity 0: no distance
    EXPECT_FLOAT_EQ(depth.at<float>(0, 2), 500.0f);  // 0.25 m * 2000 pixels / 1 pixel
    EXPECT_FLOAT_EQ(depth.at<float>(3, 8), 10.0f);   // 50 pixels
    EXPECT_FLOAT_EQ(depth.at<float>(0, 3), 500.0f * 256 / 65534);
    const Cityscapes inverse({.folder = files.path(), .split = "val", .depth = CityscapesDepth::inverse});
    EXPECT_EQ(inverse.tasks()[1].name, "inverse_depth");
}

TEST(Cityscapes, NamesWhatIsWrongWithTheCamera) {
    const CityscapesFiles files(true);
    const fs::path camera = files.file("camera", "_camera.json");
    for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
             {R"({"intrinsic": {"fx": 1}})", "a positive number extrinsic.baseline, found none"},
             {R"({"extrinsic": {"baseline": -0.2}, "intrinsic": {"fx": 1}})", "found -0.2"},
             {R"({"extrinsic": {"baseline": 0.2}, "intrinsic": {"fx": "1"}})", "intrinsic.fx, found none"},
             {R"({"extrinsic": {"baseline": 0.2}, "intrinsic": [1]})", "intrinsic.fx, found none"},
             {R"([])", "extrinsic.baseline, found none"},
             {R"({"extrinsic": )", "valid JSON"}}) {
        write_bytes(camera, text);
        expect_names(get_error(files), camera, part);
    }
    fs::remove(camera);
    expect_names(get_error(files), camera, "No such file");
}

TEST(Cityscapes, NamesFilesOfAnotherKindOrSize) {
    const CityscapesFiles files(false);
    const fs::path labels = files.file("gtFine", "_gtFine_labelIds.png"),
                   disparity = files.file("disparity", "_disparity.png");
    cv::Mat unknown = ids();
    unknown.at<uint8_t>(1, 2) = 34;
    cv::imwrite(labels.string(), unknown);
    expect_names(get_error(files), labels, "classes 0..33 or 255, found 34 at row 1, column 2");
    cv::imwrite(labels.string(), random_pixels(kWidth, kHeight, 1, 1, 34));
    expect_names(get_error(files), labels, "expected 9x4");
    cv::imwrite(labels.string(), ids());
    cv::imwrite(disparity.string(), ids());
    expect_names(get_error(files), disparity, "expected 16-bit grey, found 8-bit grey");
    cv::imwrite(disparity.string(), disparity_codes());
    const auto size = fs::file_size(disparity);
    for (uintmax_t length = 0; length < size; ++length) {
        fs::resize_file(disparity, length);
        expect_names(get_error(files), disparity, "");
        cv::imwrite(disparity.string(), disparity_codes());
    }
    fs::remove(disparity);
    fs::create_symlink(disparity.filename(), disparity);
    expect_names(get_error(files), disparity, "symbolic links");
}

TEST(Cityscapes, TrainIdsInTheFilesOfLabelIdsAreNoticedAndCanBeRead) {
    const CityscapesFiles files(false);
    EXPECT_TRUE(Cityscapes({.folder = files.path(), .split = "val"}).contradictions().empty());
    cv::Mat train(kHeight, kWidth, CV_8UC1, cv::Scalar(255));
    for (int id = 0; id < 19; ++id) train.data[id] = static_cast<uint8_t>(id);
    for (const auto& entry : fs::recursive_directory_iterator(files / "gtFine"))
        if (entry.path().extension() == ".png") cv::imwrite(entry.path().string(), train);
    const auto found = Cityscapes({.folder = files.path(), .split = "val"}).contradictions();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NE(std::string(found[0].what()).find("--set data.label_ids=train"), std::string::npos);
    const Cityscapes read({.folder = files.path(), .split = "val", .train_ids = true});
    EXPECT_TRUE(read.contradictions().empty());
    EXPECT_TRUE(equal(read.get(0).labels[0].pixels, train));
    const Cityscapes seven({.folder = files.path(), .split = "val", .classes = 7, .train_ids = true});
    EXPECT_EQ(seven.get(0).labels[0].pixels.data[13], 6) << "a car is a vehicle";
}

TEST(Cityscapes, NamesWhatIsWrongWithTheFolders) {
    const CityscapesFiles files(false);
    const auto open_error = [&](const std::string& split, int64_t classes = 19) {
        return error_of([&] { Cityscapes({.folder = files.path(), .split = split, .classes = classes}); });
    };
    EXPECT_NE(open_error("../val").find("found '../val'"), std::string::npos);
    EXPECT_NE(open_error("val", 20).find("7 or 19, found 20"), std::string::npos);
    expect_names(open_error("train"), files / "leftImg8bit/train", "No such file");
    fs::create_directories(files / "leftImg8bit/train/aachen");
    expect_names(open_error("train"), files / "leftImg8bit/train", "<city>/*_leftImg8bit.png, found none");
    fs::create_directory_symlink("loop", files / "leftImg8bit/train/loop");
    expect_names(open_error("train"), files / "leftImg8bit/train/loop", "symbolic links");
}

}  // namespace
}  // namespace mtlprune::cityscapes_test
