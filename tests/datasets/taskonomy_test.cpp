#include "datasets/layouts/taskonomy/taskonomy.h"

#include <cmath>
#include <numeric>

#include "datasets/layouts/taskonomy/taskonomy_labels.h"
#include "tests/datasets/mtan_files.h"

namespace mtlprune::taskonomy_test {
namespace {

namespace fs = std::filesystem;

constexpr int kHeight = 4, kWidth = 5;

cv::Mat random_codes16(uint64_t key, int below) {
    Random random(key);
    cv::Mat codes(kHeight, kWidth, CV_16UC1);
    for (uint16_t& code : cv::Mat_<uint16_t>(codes)) code = static_cast<uint16_t>(random.below(below));
    return codes;
}

cv::Mat depth_codes(uint64_t key) {
    cv::Mat codes = random_codes16(key, 60000);
    codes.at<uint16_t>(0, 0) = 65535;
    codes.at<uint16_t>(0, 1) = 512;
    return codes;
}

/// Where a modality of a building lies.
using Tree = std::function<fs::path(const std::string& building, const std::string& folder)>;

fs::path building_first(const std::string& building, const std::string& folder) {
    return fs::path(building) / folder;
}

/// hanson with views (2, 10), (10, 0), (10, 3) and merom with (0, 0) for training, ihlen for testing.
class TaskonomyFiles : public TemporaryFolder {
  public:
    explicit TaskonomyFiles(Tree tree = building_first) : tree_(std::move(tree)) {
        write_bytes(*this / "train_val_test_tiny.csv",
                    "id,train,val,test\rmerom,1,0,0\rhanson,1,0,0\rihlen,0,0,1\r");
        for (const auto& [point, view] : {std::pair(10, 3), {2, 10}, {10, 0}}) add("hanson", point, view);
        add("merom", 0, 0);
        add("ihlen", 7, 1);
    }
    fs::path file(const std::string& building, const std::string& folder, int point, int view,
                  const std::string& domain = "") const {
        return path() / tree_(building, folder) /
               fmt::format("point_{}_view_{}_domain_{}.png", point, view, domain.empty() ? folder : domain);
    }
    void add(const std::string& building, int point, int view) const {
        const auto key = static_cast<uint64_t>(100 * point + 10 * view);
        write(file(building, "rgb", point, view), random_pixels(kHeight, kWidth, 3, key));
        write(file(building, "segment_semantic", point, view, "segmentsemantic"),
              random_pixels(kHeight, kWidth, 1, key + 1, 18));
        write(file(building, "normal", point, view), random_pixels(kHeight, kWidth, 3, key + 2));
        write(file(building, "depth_zbuffer", point, view), depth_codes(key + 3));
        write(file(building, "depth_euclidean", point, view), depth_codes(key + 4));
        write(file(building, "keypoints2d", point, view), random_codes16(key + 5, 700));
        write(file(building, "edge_texture", point, view), random_codes16(key + 6, 9000));
    }
    static void write(const fs::path& path, const cv::Mat& pixels) {
        fs::create_directories(path.parent_path());
        cv::imwrite(path.string(), pixels);
    }

  private:
    Tree tree_;
};

Taskonomy open(const TaskonomyFiles& files, const std::string& split = "train") {
    return Taskonomy({.folder = files.path(), .split = split});
}

std::vector<std::string> ids_of(const Taskonomy& dataset) {
    std::vector<std::string> ids;
    for (int64_t i = 0; i < dataset.size(); ++i) ids.push_back(dataset.get(i).id);
    return ids;
}

void expect_names(const std::string& message, const fs::path& file, const std::string& part) {
    EXPECT_NE(message.find(file.string()), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(TaskonomyLabels, DecodesClasses) {
    const cv::Mat codes = (cv::Mat_<uint8_t>(1, 4) << 0, 1, 17, 255);
    const cv::Mat labels = decode_taskonomy_classes(codes, "");
    EXPECT_TRUE(equal(labels, (cv::Mat_<uint8_t>(1, 4) << 255, 0, 16, 255)));
    const auto message =
        error_of([] { decode_taskonomy_classes((cv::Mat_<uint8_t>(1, 2) << 3, 18), "a.png"); });
    EXPECT_NE(message.find("a.png: expected classes 0..17 or 255, found 18 at row 0, column 1"),
              std::string::npos)
        << message;
    EXPECT_EQ(taskonomy_class_names().size(), 17u);
    EXPECT_EQ(taskonomy_class_names().front(), "background");
    EXPECT_EQ(taskonomy_class_weights().size(), 17u);
}

TEST(TaskonomyLabels, WeighsRareClassesMore) {
    // The published weights: half for the background, nearly even for the rest.
    const auto weights = taskonomy_class_weights();
    EXPECT_NEAR(weights[0], 0.5424, 1e-4);
    EXPECT_NEAR(std::accumulate(weights.begin() + 1, weights.end(), 0.0) / 16.0, 8.6547, 1e-3);
    for (size_t i = 1; i < weights.size(); ++i) EXPECT_GT(weights[i], 7.0);
}

TEST(TaskonomyLabels, DecodesDepthInUnitsOf512thMetres) {
    const cv::Mat codes = (cv::Mat_<uint16_t>(1, 5) << 0, 1, 512, 65534, 65535);
    const cv::Mat depth = decode_taskonomy_depth(codes);
    EXPECT_TRUE(equal(depth, (cv::Mat_<float>(1, 5) << 0.0f, 0.001953125f, 1.0f, 127.99609375f, 0.0f)));
}

TEST(TaskonomyLabels, ClipsStrengths) {
    // 0.005 of 65536 is 327.68, 0.08 is 5242.88.
    const cv::Mat codes = (cv::Mat_<uint16_t>(1, 4) << 0, 164, 328, 65535);
    const cv::Mat keypoints = decode_taskonomy_strength(codes, 0.005);
    EXPECT_EQ(keypoints.at<float>(0), 0.0f);
    EXPECT_NEAR(keypoints.at<float>(1), 164 / 327.68, 1e-6);
    EXPECT_EQ(keypoints.at<float>(2), 1.0f);
    EXPECT_EQ(keypoints.at<float>(3), 1.0f);
    EXPECT_NEAR(decode_taskonomy_strength(codes, 0.08).at<float>(2), 328 / 5242.88, 1e-6);
}

TEST(TaskonomyLabels, DecodesNormalsRightDownForward) {
    cv::Mat codes(1, 6, CV_8UC3);  // BGR: B = forward, G = down, R = right
    const cv::Vec3b values[] = {{0, 128, 128},   {128, 255, 127}, {127, 127, 255},
                                {128, 128, 128}, {127, 128, 127}, {40, 90, 200}};
    std::copy(std::begin(values), std::end(values), codes.ptr<cv::Vec3b>());
    const cv::Mat normals = decode_taskonomy_normals(codes);
    ASSERT_EQ(normals.type(), CV_32FC3);
    const auto* n = normals.ptr<cv::Vec3f>();
    EXPECT_LT(n[0][2], -0.9999f);  // no blue: faces the camera
    EXPECT_GT(n[1][1], 0.9999f);   // green: down
    EXPECT_GT(n[2][0], 0.9999f);   // red: right
    EXPECT_EQ(n[3], cv::Vec3f(0, 0, 0));
    EXPECT_EQ(n[4], cv::Vec3f(0, 0, 0));
    const cv::Vec3d expected(200 / 127.5 - 1, 90 / 127.5 - 1, 40 / 127.5 - 1);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(n[5][c], expected[c] / cv::norm(expected), 1e-6);
}

TEST(Taskonomy, ReadsTheFiveTasks) {
    const TaskonomyFiles files;
    const Taskonomy dataset = open(files);
    const std::vector<TaskSpec> tasks = {
        {"segmentation", TaskKind::segmentation, 17, taskonomy_class_weights()},
        {"normals", TaskKind::normals, 3},
        {"depth", TaskKind::depth, 1},
        {"keypoints", TaskKind::keypoints, 1},
        {"edges", TaskKind::edges, 1}};
    EXPECT_EQ(dataset.tasks(), tasks);
    const Sample sample = dataset.get(1);
    const uint64_t key = 300;  // point 2, view 10
    EXPECT_EQ(sample.id, "hanson/point_2_view_10");
    EXPECT_EQ(dataset.id(1), sample.id);
    EXPECT_TRUE(equal(sample.image, random_pixels(kHeight, kWidth, 3, key)));
    EXPECT_TRUE(equal(sample.labels[0].pixels,
                      decode_taskonomy_classes(random_pixels(kHeight, kWidth, 1, key + 1, 18), "")));
    EXPECT_TRUE(equal(sample.labels[2].pixels, decode_taskonomy_depth(depth_codes(key + 3))));
    EXPECT_TRUE(
        equal(sample.labels[3].pixels, decode_taskonomy_strength(random_codes16(key + 5, 700), 0.005)));
    EXPECT_TRUE(
        equal(sample.labels[4].pixels, decode_taskonomy_strength(random_codes16(key + 6, 9000), 0.08)));
    cv::Mat normals = decode_taskonomy_normals(random_pixels(kHeight, kWidth, 3, key + 2));
    EXPECT_NE(normals.at<cv::Vec3f>(0, 0), cv::Vec3f(0, 0, 0));
    normals.at<cv::Vec3f>(0, 0) = {};  // no depth there
    EXPECT_TRUE(equal(sample.labels[1].pixels, normals));
    EXPECT_EQ(dataset.description(), "Taskonomy (tiny), split train: 4 frames of 5x4");
}

TEST(Taskonomy, OrdersFramesByBuildingPointAndView) {
    const TaskonomyFiles files;
    EXPECT_EQ(ids_of(open(files)),
              (std::vector<std::string>{"merom/point_0_view_0", "hanson/point_2_view_10",
                                        "hanson/point_10_view_0", "hanson/point_10_view_3"}));
    EXPECT_EQ(ids_of(open(files, "test")), (std::vector<std::string>{"ihlen/point_7_view_1"}));
    EXPECT_EQ(ids_of(Taskonomy({.folder = files.path(), .limit = 2})),
              (std::vector<std::string>{"merom/point_0_view_0", "hanson/point_10_view_0"}));
}

TEST(Taskonomy, FindsEveryTree) {
    const Tree trees[] = {
        [](const std::string& building, const std::string& folder) {
            return fs::path(building + "_" + folder);
        },
        [](const std::string& building, const std::string& folder) { return fs::path(folder) / building; },
        [](const std::string& building, const std::string& folder) {
            return fs::path(folder) / "taskonomy" / building;
        },
        // Every building another tree, as when archives are unpacked at different times.
        [](const std::string& building, const std::string& folder) {
            return building == "hanson" ? fs::path(building) / folder : fs::path(building + "_" + folder);
        }};
    const TaskonomyFiles expected;
    for (const Tree& tree : trees) {
        const TaskonomyFiles files(tree);
        EXPECT_EQ(ids_of(open(files)), ids_of(open(expected)));
        EXPECT_TRUE(equal(open(files).get(2).labels[2].pixels, open(expected).get(2).labels[2].pixels));
    }
}

TEST(Taskonomy, ReadsTheWantedTasksOnly) {
    const TaskonomyFiles files;
    for (const char* folder : {"segment_semantic", "keypoints2d", "edge_texture"})
        for (const char* building : {"hanson", "merom"}) fs::remove_all(files.path() / building / folder);
    const Taskonomy euclidean({.folder = files.path(), .tasks = {"depth_euclidean", "normal"}});
    EXPECT_EQ(euclidean.tasks()[0].name, "depth");
    EXPECT_EQ(euclidean.tasks()[1].name, "normals");
    const Sample sample = euclidean.get(0);
    ASSERT_EQ(sample.labels.size(), 2u);
    EXPECT_TRUE(equal(sample.labels[0].pixels, decode_taskonomy_depth(depth_codes(4))));
    // Normals alone are masked by depth all the same.
    const Sample normals = Taskonomy({.folder = files.path(), .tasks = {"normal"}}).get(0);
    ASSERT_EQ(normals.labels.size(), 1u);
    EXPECT_EQ(normals.labels[0].pixels.at<cv::Vec3f>(0, 0), cv::Vec3f(0, 0, 0));
    EXPECT_GT(cv::norm(normals.labels[0].pixels.at<cv::Vec3f>(0, 1)), 0.99);
    const auto wrong = [&](const std::vector<std::string>& tasks) {
        return error_of([&] { Taskonomy({.folder = files.path(), .tasks = tasks}); });
    };
    EXPECT_NE(wrong({"depth_zbufer"}).find("did you mean 'depth_zbuffer'?"), std::string::npos);
    EXPECT_NE(wrong({"rgb"}).find("found 'rgb'"), std::string::npos);
    EXPECT_NE(wrong({"depth_zbuffer", "depth_euclidean"}).find("one kind of depth"), std::string::npos);
    EXPECT_NE(wrong({"normal", "normal"}).find("each once"), std::string::npos);
    EXPECT_NE(wrong({}).find("expected 1 or more"), std::string::npos);
}

TEST(Taskonomy, NamesMissingBuildingsAndFolders) {
    const TaskonomyFiles files;
    fs::remove_all(files / "merom/normal");
    expect_names(error_of([&] { open(files); }), files.path(),
                 "a folder normal of building merom, found none");
    for (const auto& entry : fs::directory_iterator(files / "merom/rgb")) fs::remove(entry.path());
    expect_names(error_of([&] { open(files); }), files / "merom/rgb",
                 "point_P_view_V_domain_rgb.png, found none");
    fs::remove_all(files / "merom");
    fs::create_directory_symlink("merom", files / "merom");
    expect_names(error_of([&] { open(files); }), files / "merom/rgb", "symbolic links");
    fs::remove(files / "train_val_test_tiny.csv");
    expect_names(error_of([&] { open(files); }), files.path(),
                 "one of taskonomy.json, train_val_test_tiny.csv, splits_taskonomy.zip or a split_file");
}

TEST(Taskonomy, LeavesOutWhatIsIncompleteWhenAllowed) {
    const TaskonomyFiles files;
    fs::remove_all(files / "merom/normal");
    fs::remove(files.file("hanson", "edge_texture", 10, 0));
    const Taskonomy dataset({.folder = files.path(), .allow_incomplete = true});
    EXPECT_EQ(ids_of(dataset),
              (std::vector<std::string>{"hanson/point_2_view_10", "hanson/point_10_view_3"}));
    EXPECT_EQ(
        dataset.description(),
        "Taskonomy (tiny), split train: 2 frames of 5x4, 1 buildings and 1 frames left out as incomplete");
    fs::remove_all(files / "hanson");
    expect_names(error_of([&] { Taskonomy({.folder = files.path(), .allow_incomplete = true}); }),
                 files.path(), "none that is complete");
}

TEST(Taskonomy, IgnoresOtherNamesAmongTheImages) {
    const TaskonomyFiles files;
    for (const char* name : {"point_1_view_1_domain_rgb.jpg", "point_1_view_1_domain_normal.png",
                             "point_01_view_1_domain_rgb.png", "point_1_view_-1_domain_rgb.png",
                             "point_1_view_1_domain_rgb.png.part", "Thumbs.db"})
        write_bytes(files / "hanson/rgb" / name, "");
    EXPECT_EQ(open(files).size(), 4);
}

TEST(Taskonomy, NamesDamagedFilesAndOtherKindsOfImages) {
    const TaskonomyFiles files;
    const Taskonomy dataset = open(files);
    const auto get_error = [&] { return error_of([&] { dataset.get(3); }); };
    const auto file = [&](const char* folder, const char* domain = "") {
        return files.file("hanson", folder, 10, 3, domain);
    };
    files.write(file("depth_zbuffer"), random_pixels(kHeight, kWidth, 1, 1));
    expect_names(get_error(), file("depth_zbuffer"), "expected 16-bit grey, found 8-bit grey");
    files.write(file("normal"), random_pixels(kHeight, kWidth, 1, 1));
    expect_names(get_error(), file("normal"), "expected 8-bit colour");
    files.write(file("segment_semantic", "segmentsemantic"), random_codes16(1, 17));
    expect_names(get_error(), file("segment_semantic", "segmentsemantic"), "found 16-bit grey");
    files.add("hanson", 10, 3);
    files.write(file("edge_texture"), cv::Mat(kWidth, kHeight, CV_16UC1, cv::Scalar(1)));
    expect_names(get_error(), file("edge_texture"), "expected 5x4 as " + file("rgb").string());
    files.add("hanson", 10, 3);
    for (const char* folder : {"rgb", "normal", "depth_zbuffer", "keypoints2d", "edge_texture"}) {
        const auto size = fs::file_size(file(folder));
        for (const uintmax_t length : {size - 1, size / 2, uintmax_t{33}, uintmax_t{8}, uintmax_t{0}}) {
            fs::resize_file(file(folder), length);
            expect_names(get_error(), file(folder), "expected");
        }
        fs::remove(file(folder));
        expect_names(get_error(), file(folder), "No such file");
        files.add("hanson", 10, 3);
    }
}

TEST(Taskonomy, ReadsAdaSharesList) {
    const TaskonomyFiles files;
    nlohmann::json entry = nlohmann::json::array();
    for (const auto& [folder, domain] :
         std::vector<std::pair<std::string, std::string>>{{"rgb", ""},
                                                          {"segment_semantic", "segmentsemantic"},
                                                          {"normal", ""},
                                                          {"depth_zbuffer", ""},
                                                          {"keypoints2d", ""},
                                                          {"edge_texture", ""}})
        entry.push_back(fs::relative(files.file("hanson", folder, 10, 0, domain), files.path()).string());
    const auto write = [&](const nlohmann::json& list) {
        write_bytes(files / "taskonomy.json", list.dump());
    };
    write({{"train", nlohmann::json::array({entry})}, {"test", {entry, entry}}});
    const Taskonomy listed = open(files, "test");
    EXPECT_EQ(listed.size(), 2);
    EXPECT_EQ(listed.get(1).id, "hanson/rgb/point_10_view_0_domain_rgb.png");
    const Sample expected =
        Taskonomy({.folder = files.path(), .split_file = files / "train_val_test_tiny.csv"}).get(2);
    EXPECT_TRUE(equal(listed.get(1).labels[2].pixels, expected.labels[2].pixels));
    EXPECT_TRUE(equal(listed.get(1).labels[1].pixels, expected.labels[1].pixels));
    EXPECT_TRUE(equal(listed.get(1).labels[4].pixels, expected.labels[4].pixels));
    EXPECT_EQ(listed.description(), "Taskonomy (listed), split test: 2 frames of 5x4");
    const auto expect_error = [&](const nlohmann::json& list, const std::string& part) {
        write(list);
        expect_names(error_of([&] { open(files); }), files / "taskonomy.json", part);
    };
    expect_error({{"trian", nlohmann::json::array({entry})}}, "did you mean 'trian'?");
    expect_error({{"train", {{"a", "b", "c"}}}}, "train[0]: expected 6 paths");
    for (const char* path : {"../a", "/etc/passwd", "a/../../b", ""}) {
        auto escape = entry;
        escape[4] = path;
        expect_error({{"train", {entry, escape}}},
                     fmt::format("train[1]: expected a path inside the data set's folder, found '{}'", path));
    }
    EXPECT_NE(error_of([&] {
                  Taskonomy({.folder = files.path(), .tasks = {"depth_euclidean"}});
              }).find("tasks that the list names, found 'depth_euclidean'"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::taskonomy_test
