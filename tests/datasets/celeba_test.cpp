#include "datasets/layouts/celeba.h"

#include <gtest/gtest.h>

#include "tests/bad_input.h"

namespace mtlprune::celeba_test {
namespace {

std::vector<int64_t> classes_of(const Sample& sample) {
    std::vector<int64_t> classes;
    for (const Label& label : sample.labels) classes.push_back(label.class_index);
    return classes;
}

constexpr const char* kAttributes =
    "4\nBald Eyeglasses  Smiling\n"
    "000001.jpg -1  1 -1\n"
    "000002.jpg  1 -1 -1\n"
    "000003.jpg -1 -1  1\n"
    "000004.jpg  1  1  1\n";
constexpr const char* kPartition = "000001.jpg 0\n000002.jpg 0\n000003.jpg 1\n000004.jpg 2\n";

class CelebATest : public testing::Test {
  protected:
    CelebATest() {
        std::filesystem::create_directory(folder / "img_align_celeba");
        for (int i = 1; i <= 4; ++i)
            cv::imwrite(image(i).string(), cv::Mat(8, 6, CV_8UC3, cv::Scalar::all(50 * i)));
        write_bytes(attributes(), kAttributes);
        write_bytes(partition(), kPartition);
    }
    std::filesystem::path image(int i) const { return folder / fmt::format("img_align_celeba/{:06}.jpg", i); }
    std::filesystem::path attributes() const { return folder / "list_attr_celeba.txt"; }
    std::filesystem::path partition() const { return folder / "list_eval_partition.txt"; }
    CelebAOptions options(const std::string& split = "train") const { return {folder.path(), split}; }
    /// What opening says after `from` became `to` in one of the lists.
    void expect_error(const std::filesystem::path& list, const std::string& from, const std::string& to,
                      const std::string& part) const {
        std::string text = list == attributes() ? kAttributes : kPartition;
        ASSERT_NE(text.find(from), std::string::npos) << from;
        text.replace(text.find(from), from.size(), to);
        write_bytes(list, text);
        const auto message = error_of([&] { CelebA{options()}; });
        EXPECT_NE(message.find(list.filename().string()), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
        write_bytes(attributes(), kAttributes);
        write_bytes(partition(), kPartition);
    }
    TemporaryFolder folder;
};

TEST_F(CelebATest, ReadsImagesAndAttributesOfEachSplit) {
    const CelebA train(options());
    ASSERT_EQ(train.size(), 2);
    EXPECT_EQ(train.tasks(), (std::vector<TaskSpec>{{"Bald", TaskKind::classification, 2},
                                                    {"Eyeglasses", TaskKind::classification, 2},
                                                    {"Smiling", TaskKind::classification, 2}}));
    const Sample second = train.get(1);
    EXPECT_EQ(second.id, "000002.jpg");
    EXPECT_EQ(train.id(1), second.id);
    EXPECT_EQ(classes_of(second), (std::vector<int64_t>{1, 0, 0}));
    EXPECT_NEAR(second.image.at<cv::Vec3b>(3, 3)[0], 100, 2);
    EXPECT_EQ(classes_of(CelebA(options("valid")).get(0)), (std::vector<int64_t>{0, 0, 1}));
    EXPECT_EQ(classes_of(CelebA(options("test")).get(0)), (std::vector<int64_t>{1, 1, 1}));
}

TEST_F(CelebATest, ReadsAChosenSubsetInTheChosenOrder) {
    auto some = options();
    some.attributes = {"Smiling", "Eyeglasses"};
    some.limit = 1;
    const CelebA dataset(some);
    ASSERT_EQ(dataset.size(), 1);
    EXPECT_EQ(dataset.tasks()[0].name, "Smiling");
    EXPECT_EQ(classes_of(dataset.get(0)), (std::vector<int64_t>{0, 1}));
    some.attributes = {"Smilling"};
    EXPECT_NE(error_of([&] { CelebA{some}; }).find("did you mean 'Smiling'?"), std::string::npos);
    some.attributes = {"Bald", "Bald"};
    EXPECT_NE(error_of([&] { CelebA{some}; }).find("Bald twice"), std::string::npos);
    some = options();
    some.limit = 3;
    EXPECT_NE(error_of([&] { CelebA{some}; }).find("0..2, found 3"), std::string::npos);
}

TEST_F(CelebATest, FindsTheListsWhereTheArchiveHasThem) {
    std::filesystem::create_directory(folder / "Anno");
    std::filesystem::create_directory(folder / "Eval");
    std::filesystem::rename(attributes(), folder / "Anno/list_attr_celeba.txt");
    std::filesystem::rename(partition(), folder / "Eval/list_eval_partition.txt");
    EXPECT_EQ(CelebA(options()).size(), 2);
}

TEST_F(CelebATest, ReadsWindowsLineEndsAndNoLastLineEnd) {
    std::string text = kAttributes;
    for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, 1, '\r');
    write_bytes(attributes(), text.substr(0, text.size() - 2));
    EXPECT_EQ(classes_of(CelebA(options("test")).get(0)), (std::vector<int64_t>{1, 1, 1}));
}

TEST_F(CelebATest, NamesLineAndReasonOfAMalformedList) {
    expect_error(attributes(), "4\n", "5\n", "5 images as line 1 says, found 4");
    expect_error(attributes(), "4\n", "2000000000\n", "found 4");
    expect_error(attributes(), "4\n", "four\n", "line 1: expected a number, found 'four'");
    expect_error(attributes(), "4\n", "", "line 1: expected the number of images, found 3 words");
    expect_error(attributes(), "000003.jpg -1 -1  1", "000003.jpg -1 -1",
                 "line 5: expected a file name and 3 values, found 3 words");
    expect_error(attributes(), "000003.jpg -1 -1", "000003.jpg -1 0",
                 "line 5: Eyeglasses: expected -1 or 1, found 0");
    expect_error(attributes(), "000003.jpg -1 -1", "000003.jpg -1 99999999999", "line 5: expected a number");
    expect_error(attributes(), "000003.jpg", "../secret.jpg", "line 5: expected a plain file name");
    expect_error(attributes(), "000003.jpg", "..", "line 5: expected a plain file name");
    expect_error(attributes(), "000003.jpg", "000002.jpg", "000002.jpg twice");
    expect_error(attributes(), kAttributes, "", "line 1");
    expect_error(attributes(), std::string(kAttributes).substr(1), "", "line 2: expected attribute names");
    expect_error(partition(), "000003.jpg 1", "000003.jpg 3", "line 3: expected split 0, 1 or 2, found 3");
    expect_error(partition(), "000003.jpg 1", "000003.jpg", "line 3: expected a file name and a split");
    expect_error(partition(), "000003.jpg 1", "000009.jpg 1", "line 3: expected an image of list_attr");
    expect_error(partition(), "000003.jpg 1", "000002.jpg 1", "line 3: expected every image once");
    expect_error(partition(), "000003.jpg 1\n", "", "the split of 000003.jpg, found none");
    expect_error(partition(), "000001.jpg 0\n000002.jpg 0", "000001.jpg 1\n000002.jpg 1",
                 "images of split train, found none");
}

TEST_F(CelebATest, NamesMissingDamagedAndUnreadableFiles) {
    EXPECT_NE(error_of([&] { CelebA{options("vaild")}; }).find("did you mean 'valid'?"), std::string::npos);
    const CelebA train(options());
    const auto expect = [&](const std::string& part) {
        const auto message = error_of([&] { train.get(0); });
        EXPECT_NE(message.find("000001.jpg"), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
        const auto problems = train.problems(0);
        ASSERT_EQ(problems.size(), 1u);
        EXPECT_EQ(problems[0].what(), message);
    };
    const auto whole = std::filesystem::file_size(image(1));
    std::filesystem::resize_file(image(1), whole - 2);
    expect("expected");
    std::filesystem::resize_file(image(1), 0);
    expect("a PNG or JPEG file");
    std::filesystem::remove(image(1));
    expect("cannot read");
    std::filesystem::create_symlink("000001.jpg", image(1));
    expect("cannot read");
    EXPECT_TRUE(train.problems(1).empty());
    EXPECT_NE(error_of([&] { train.get(2); }).find("0..1, found 2"), std::string::npos);
    std::filesystem::remove(partition());
    EXPECT_NE(error_of([&] { CelebA{options()}; }).find("list_eval_partition.txt"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::celeba_test
