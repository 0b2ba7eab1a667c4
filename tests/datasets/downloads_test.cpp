// Data sets as people download and unpack them, and what stands in their place when that failed.
#include <libdeflate.h>

#include <memory>

#include "datasets/codecs/gzip.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/jpeg.h"
#include "datasets/codecs/npy.h"
#include "datasets/inspect/dataset_check.h"
#include "datasets/layouts/adashare.h"
#include "datasets/layouts/celeba.h"
#include "datasets/layouts/idx.h"
#include "datasets/layouts/open_dataset.h"
#include "datasets/layouts/taskonomy/taskonomy_splits.h"
#include "tests/datasets/mtan_files.h"

namespace mtlprune::downloads_test {
namespace {

namespace fs = std::filesystem;

void expect_names(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

void write_faces(const fs::path& pictures) {
    fs::create_directories(pictures);
    for (const char* name : {"000001.jpg", "000002.jpg"})
        cv::imwrite((pictures / name).string(), cv::Mat(8, 6, CV_8UC3, cv::Scalar::all(90)));
}

TEST(CelebADownloads, AreReadAsPublished) {
    const TemporaryFolder folder;
    write_faces(folder / "Img/img_align_celeba");
    write_into(folder / "Anno/list_attr_celeba.txt", "2\nBald Smiling\n000001.jpg -1 1\n000002.jpg 1 -1\n");
    write_into(folder / "Eval/list_eval_partition.txt", "000001.jpg 0\n000002.jpg 2\n");
    EXPECT_EQ(CelebA({folder.path(), "train"}).get(0).labels[1].class_index, 1);
    EXPECT_EQ(CelebA({folder.path(), "test"}).get(0).labels[0].class_index, 1);
}

TEST(CelebADownloads, AreReadAsKaggleHasThem) {
    const TemporaryFolder folder;
    write_faces(folder / "img_align_celeba/img_align_celeba");
    write_into(folder / "list_attr_celeba.csv",
               "image_id,Bald,Smiling\r\n000001.jpg,-1,1\r\n000002.jpg,1,-1\r\n");
    write_into(folder / "list_eval_partition.csv", "image_id,partition\r\n000001.jpg,0\r\n000002.jpg,2\r\n");
    const CelebA train({folder.path(), "train"});
    ASSERT_EQ(train.tasks().size(), 2u);
    EXPECT_EQ(train.get(0).labels[1].class_index, 1);
    EXPECT_EQ(CelebA({folder.path(), "test"}).get(0).labels[0].class_index, 1);
}

TEST(CelebADownloads, SayOnceThatTheImagesAreMissing) {
    const TemporaryFolder folder;
    write_into(folder / "list_attr_celeba.txt", "1\nBald\n000001.jpg -1\n");
    write_into(folder / "list_eval_partition.txt", "000001.jpg 0\n");
    expect_names(error_of([&] {
                     CelebA({folder.path(), "train"});
                 }),
                 "expected the folder img_align_celeba or Img/img_align_celeba, found neither");
    write_into(folder / "Img/img_align_celeba.zip", "PK");
    expect_names(error_of([&] { CelebA({folder.path(), "train"}); }), "unpack it there");
}

TEST(AdaShareDownloads, ListsOfAnotherRootAreRecognised) {
    const AdaShareFolder folder(2, 4, 5);
    for (const std::string root : {"/home/somebody/nyu_v2/", "nyu_v2/", "../data/nyu_v2/"}) {
        nlohmann::json frames;
        for (int i = 0; i < 2; ++i)
            frames.push_back({root + fmt::format("img{}.png", i), root + fmt::format("seg{}.png", i),
                              root + fmt::format("normal{}.png", i), root + fmt::format("depth{}.npy", i)});
        folder.write_list({{"train", frames}});
        const AdaShareNyuv2 dataset({folder.path()});
        EXPECT_EQ(dataset.get(1).id, "img1.png") << root;
    }
    folder.write_list(
        {{"train", {{"/nowhere/img9.png", "/nowhere/seg0.png", "/nowhere/normal0.png", "/x/y.npy"}}}});
    expect_names(error_of([&] { AdaShareNyuv2({folder.path()}); }), "a path inside the data set's folder");
}

TEST(AdaShareDownloads, AMissingFolderIsOneProblem) {
    const AdaShareFolder folder(3, 4, 5);
    nlohmann::json frames;
    for (int i = 0; i < 3; ++i)
        frames.push_back({fmt::format("img{}.png", i), fmt::format("seg{}.png", i),
                          fmt::format("normal{}.png", i), fmt::format("depths/{}.npy", i)});
    folder.write_list({{"train", frames}});
    fs::remove(folder / "img2.png");
    const auto problems = without_missing_folders(check_dataset(AdaShareNyuv2({folder.path()}), {}));
    ASSERT_EQ(problems.size(), 2u);
    EXPECT_EQ(problems[0].file, (folder / "depths").string());
    EXPECT_EQ(problems[0].problem, "no such folder, which 3 files should be in");
    expect_names(problems[1].problem, "cannot read");
}

TEST(AdaShareDownloads, OptionsReadOtherUnitsClassesAndSplits) {
    const AdaShareFolder folder(1, 4, 5);
    EXPECT_EQ(adashare_splits(folder.path()), (std::vector<std::string>{"train", "test"}));
    const Sample plain = AdaShareNyuv2({folder.path()}).get(0);
    DatasetRequest request = parse_dataset("nyuv2=" + folder.path().string());
    request.split = "train";
    request.options = {
        {"depth_unit", "millimetres"}, {"first_class", 1}, {"normal_axes", "right up backward"}};
    const Sample other = open_dataset(request)->get(0);
    EXPECT_LT(cv::norm(other.labels[2].pixels * 1000.0, plain.labels[2].pixels, cv::NORM_INF), 1e-4);
    for (int i = 0; i < 20; ++i) {
        const int label = plain.labels[0].pixels.data[i];
        EXPECT_EQ(other.labels[0].pixels.data[i], label == 0 || label == 255 ? 255 : label - 1);
    }
    EXPECT_GT(cv::norm(other.labels[1].pixels, plain.labels[1].pixels, cv::NORM_INF), 0.0);
    request.options = {{"depth_units", "millimetres"}};
    expect_names(error_of([&] { open_dataset(request); }), "did you mean 'depth_unit'?");
    request.options = {{"depth_unit", "inches"}};
    expect_names(error_of([&] { open_dataset(request); }), "one of metres, centimetres, millimetres");
    request.options = nlohmann::json::object();
    request.classes = 13;
    expect_names(error_of([&] { open_dataset(request)->get(0); }), "--set data.classes=40");
}

TEST(AdaShareDownloads, ThirteenClassesFromZeroAreTakenOverWhereNoNumberIsGiven) {
    const AdaShareFolder folder(3, 8, 8);
    for (int i = 0; i < 3; ++i)
        cv::imwrite((folder / fmt::format("seg{}.png", i)).string(), random_pixels(8, 8, 1, i, 13));
    DatasetRequest request = parse_dataset("nyuv2=" + folder.path().string());
    for (const char* split : {"train", "test"}) {  // the one frame of test alone would not be certain
        request.split = split;
        EXPECT_EQ(open_dataset(request)->tasks()[0].channels, 13);
    }
    request.classes = 40;
    EXPECT_EQ(open_dataset(request)->tasks()[0].channels, 40);
    cv::imwrite((folder / "seg2.png").string(), random_pixels(8, 8, 1, 9, 40));
    request.classes = 0;
    EXPECT_EQ(open_dataset(request)->tasks()[0].channels, 40);
}

TEST(Downloads, ADeeperFolderIsNamedAlsoWhereSplitsAreAskedFor) {
    const TemporaryFolder folder;
    write_into(folder / "NYUv2/nyu_v2_3task.json", "{}");
    expect_names(error_of([&] { dataset_splits(parse_dataset("nyuv2=" + folder.path().string())); }),
                 "one folder deeper");
}

std::string gzipped(const std::string& content) {
    const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
        libdeflate_alloc_compressor(6), libdeflate_free_compressor);
    std::string bytes(libdeflate_gzip_compress_bound(compressor.get(), content.size()), '\0');
    bytes.resize(libdeflate_gzip_compress(compressor.get(), content.data(), content.size(), bytes.data(),
                                          bytes.size()));
    return bytes;
}

std::vector<uint8_t> bytes_of(const std::string& text) {
    return {text.begin(), text.end()};
}

TEST(GzipDownloads, SeveralMembersAreOneContent) {
    const std::string first(5000, 'a'), second = "end";
    const auto content = gunzip(bytes_of(gzipped(first) + gzipped("") + gzipped(second)), "here");
    EXPECT_EQ(std::string(content.begin(), content.end()), first + second);
    const auto reversed = gunzip(bytes_of(gzipped(second) + gzipped(first)), "here");
    EXPECT_EQ(std::string(reversed.begin(), reversed.end()), second + first);
}

TEST(GzipDownloads, TruncatedOnesSaySo) {
    const std::string whole = gzipped("a picture of a digit, a picture of another digit");
    for (const size_t length : {whole.size() - 1, whole.size() - 8, size_t{20}})
        expect_names(error_of([&] { gunzip(bytes_of(whole.substr(0, length)), "here"); }),
                     fmt::format("{} bytes that end too early or are damaged", length));
    expect_names(error_of([&] { gunzip(bytes_of(whole + "tail"), "here"); }), "4 bytes behind them");
}

std::string idx(const std::vector<char>& shape, const std::string& values) {
    std::string bytes = {0, 0, 8, static_cast<char>(shape.size())};
    for (const char length : shape) bytes += {0, 0, 0, length};
    return bytes + values;
}

void write_letters(const fs::path& folder, const std::string& split, const std::string& labels) {
    const auto count = static_cast<char>(labels.size());
    write_bytes(folder / ("emnist-letters-" + split + "-images-idx3-ubyte.gz"),
                gzipped(idx({count, 2, 2}, std::string(4 * labels.size(), '\7'))));
    write_bytes(folder / ("emnist-letters-" + split + "-labels-idx1-ubyte.gz"),
                gzipped(idx({count}, labels)));
}

TEST(EmnistDownloads, OfficialNamesAndLettersFromOneAreRecognised) {
    const TemporaryFolder folder;
    write_letters(folder.path(), "train", "\x01\x1a\x05");
    write_letters(folder.path(), "test", "\x02\x03");
    DatasetRequest request = parse_dataset("idx=" + folder.path().string());
    for (const auto& [split, first] : {std::pair("train", 0), {"test", 1}}) {
        request.split = split;
        const auto dataset = open_dataset(request);
        EXPECT_EQ(dataset->tasks()[0].channels, 26);
        EXPECT_EQ(dataset->get(0).labels[0].class_index, first);
    }
    EXPECT_EQ(dataset_splits(request), (std::vector<std::string>{"train", "test"}));
    request.split = "train";
    request.classes = 10;
    expect_names(error_of([&] { open_dataset(request); }), "for 26 classes --set data.classes=26");
    request.split = "test";
    request.classes = 27;  // as stored, with an unused class 0
    EXPECT_EQ(open_dataset(request)->get(0).labels[0].class_index, 2);
}

TEST(EmnistDownloads, SeveralSetsInAFolderAreAskedFor) {
    const TemporaryFolder folder;
    write_letters(folder.path(), "train", "\x01\x02");
    write_bytes(folder / "emnist-digits-train-images-idx3-ubyte", idx({1, 2, 2}, "abcd"));
    write_bytes(folder / "emnist-digits-train-labels-idx1-ubyte", idx({1}, "\3"));
    IdxOptions options{folder.path()};
    EXPECT_EQ(idx_splits(folder.path()), std::vector<std::string>{"train"});
    expect_names(error_of([&] { IdxImages{options}; }), "--set data.files=emnist-digits");
    options.files = "emnist-digits";
    EXPECT_EQ(IdxImages(options).get(0).labels[0].class_index, 3);
}

TEST(TaskonomyDownloads, AByteOrderMarkIsPassedOver) {
    const TemporaryFolder folder;
    write_bytes(folder / "s.csv", "\xef\xbb\xbfid,train,val,test\nhanson,1,0,0\n");
    EXPECT_EQ(taskonomy_buildings(folder / "s.csv", "tiny", "train"), std::vector<std::string>{"hanson"});
}

TEST(Downloads, AnotherLayoutAndADeeperFolderAreNamed) {
    const TemporaryFolder folder;
    write_into(folder / "archive/NYUv2/nyu_v2_3task.json", "{}");
    const auto hint = [&](const std::string& text) {
        DatasetRequest request = parse_dataset(text);
        request.split = "train";
        return error_of([&] { open_dataset(request); });
    };
    expect_names(hint("nyuv2=" + (folder / "archive").string()),
                 "its files lie one folder deeper: nyuv2_adashare=" + (folder / "archive/NYUv2").string());
    expect_names(hint("celeba=" + (folder / "archive/NYUv2").string()),
                 "looks like another layout: nyuv2_adashare=");
    EXPECT_EQ(layout_hint(folder / "archive/NYUv2", "nyuv2_adashare"), "");
    EXPECT_EQ(layout_hint(folder / "nowhere", "nyuv2_adashare"), "");
}

TEST(Downloads, WhatIsNoImageOrArrayIsNamed) {
    const TemporaryFolder folder;
    const std::pair<std::string, std::string> cases[] = {
        {"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page: the download failed"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
         "a Git LFS pointer: run git lfs pull"},
        {"", "an empty file"},
        {std::string("PK\3\4", 4) + "rest of it", "a zip archive: unpack it"},
        {"something", "9 bytes of something else"}};
    for (const auto& [content, text] : cases) {
        write_bytes(folder / "file", content);
        expect_names(error_of([&] { read_colour_image(folder / "file"); }), "found " + text);
        expect_names(error_of([&] { read_label_image(folder / "file"); }), "found " + text);
        expect_names(error_of([&] { read_npy(folder / "file"); }), "found " + text);
    }
}

std::vector<uint8_t> jpeg_with_orientation(uint8_t value, bool little) {
    const std::string head = little ? std::string("II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0", 18)
                                    : std::string("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1", 18);
    std::string tiff = head;
    tiff += little ? std::string{static_cast<char>(value), 0, 0, 0}
                   : std::string{0, static_cast<char>(value), 0, 0};
    const std::string content = std::string("Exif\0\0", 6) + tiff;
    std::string bytes = "\xff\xd8\xff\xe1";
    bytes += {0, static_cast<char>(content.size() + 2)};
    bytes += content + "\xff\xda";
    return {bytes.begin(), bytes.end()};
}

TEST(Exif, OrientationIsReadInBothByteOrders) {
    for (const bool little : {true, false})
        for (const int value : {1, 3, 6, 8}) {
            auto bytes = jpeg_with_orientation(static_cast<uint8_t>(value), little);
            EXPECT_EQ(jpeg_orientation(bytes), value) << little;
            for (size_t length = 0; length < bytes.size() - 4; ++length)
                jpeg_orientation({bytes.data(), length});  // reads nothing outside
        }
    EXPECT_EQ(jpeg_orientation(jpeg_with_orientation(9, true)), 1);
    EXPECT_EQ(jpeg_orientation(bytes_of("no picture")), 1);
}

TEST(Exif, ATurnedPictureIsAProblem) {
    const AdaShareFolder folder(1, 4, 5);
    std::vector<uint8_t> plain;
    cv::imencode(".jpg", cv::Mat(4, 5, CV_8UC3, cv::Scalar::all(90)), plain);
    auto turned = jpeg_with_orientation(6, true);
    turned.resize(turned.size() - 2);  // without the start of the scan
    turned.insert(turned.end(), plain.begin() + 2, plain.end());
    write_bytes(folder / "img0.png", {turned.begin(), turned.end()});
    const auto problems = check_dataset(AdaShareNyuv2({folder.path()}), {});
    ASSERT_EQ(problems.size(), 1u);
    expect_names(problems[0].problem, "EXIF orientation 6");
}

}  // namespace
}  // namespace mtlprune::downloads_test
