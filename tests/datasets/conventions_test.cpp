// What data sets say themselves about axes, units and classes.
#include "datasets/conventions/contradictions.h"

#include "datasets/codecs/normal_codes.h"
#include "datasets/conventions/class_evidence.h"
#include "datasets/conventions/depth_evidence.h"
#include "datasets/conventions/normal_evidence.h"
#include "datasets/synthetic/synthetic_rooms.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::conventions_test {
namespace {

/// Other frames made of rendered rooms, read as somebody says.
class ChangedRooms : public Dataset {
  public:
    using Change = std::function<void(Sample&)>;
    ChangedRooms(Change change, Reading reading, int64_t count = 4)
        : rooms_({.count = count, .height = 60, .width = 80, .seed = 5}),
          change_(std::move(change)),
          reading_(std::move(reading)),
          tasks_(rooms_.tasks()) {}
    int64_t size() const override { return rooms_.size(); }
    Sample get(int64_t index) const override {
        Sample sample = rooms_.get(index);
        for (Label& label : sample.labels) label.pixels = label.pixels.clone();
        change_(sample);
        return sample;
    }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    Reading reading() const override { return reading_; }
    std::string description() const override { return "changed rooms"; }
    std::vector<TaskSpec>& tasks() { return tasks_; }

  private:
    SyntheticRooms rooms_;
    Change change_;
    Reading reading_;
    std::vector<TaskSpec> tasks_;
};

const Reading kAdaShare = {.normal_axes = "right forward up",
                           .depth_unit = "metres",
                           .indoors = true,
                           .class_numbers = {13, 40},
                           .first_class = 0};

std::vector<std::string> messages(const Dataset& dataset) {
    std::vector<std::string> messages;
    for (const auto& error : contradictions(dataset)) messages.emplace_back(error.what());
    return messages;
}

void expect_only(const Dataset& dataset, const std::string& part) {
    const auto found = messages(dataset);
    ASSERT_EQ(found.size(), 1u) << part;
    EXPECT_NE(found[0].find(part), std::string::npos) << found[0];
    EXPECT_NE(error_of([&] { require_no_contradictions(dataset); }).find(part), std::string::npos);
}

enum { segmentation, normals, depth };

TEST(Contradictions, RightDataHaveNone) {
    EXPECT_EQ(messages(ChangedRooms([](Sample&) {}, kAdaShare)), std::vector<std::string>());
}

TEST(Contradictions, OpenglAxesAreNamedInTheFilesChannels) {
    // Files of right, up, backward that are read as right, forward, up.
    const ChangedRooms rooms(
        [](Sample& sample) {
            cv::Mat& pixels = sample.labels[normals].pixels;
            cv::Mat vectors = pixels.type() == CV_8UC3 ? decode_normals(pixels) : pixels;
            for (cv::Vec3f& n : cv::Mat_<cv::Vec3f>(vectors)) n = {n[0], n[2], -n[1]};
            pixels = encode_normals(vectors);
        },
        kAdaShare);
    expect_only(rooms, "--set data.normal_axes=\"right up backward\"");
}

TEST(Contradictions, NormalsWithoutDepthTellOnlyThatTheyFaceAway) {
    ChangedRooms rooms(
        [](Sample& sample) {
            cv::Mat& pixels = sample.labels[normals].pixels;
            pixels = (pixels.type() == CV_8UC3 ? decode_normals(pixels) : pixels) * -1.0;
            sample.labels.pop_back();
        },
        kAdaShare);
    rooms.tasks().pop_back();
    expect_only(rooms, "say which, e.g. --set data.normal_axes=");
}

TEST(Contradictions, MillimetresAndCentimetresAreNotMetres) {
    const auto scaled = [](double scale) {
        return [scale](Sample& sample) { sample.labels[depth].pixels *= scale; };
    };
    expect_only(ChangedRooms(scaled(1000.0), kAdaShare), "--set data.depth_unit=millimetres");
    expect_only(ChangedRooms(scaled(100.0), kAdaShare), "--set data.depth_unit=centimetres");
    expect_only(ChangedRooms(scaled(1e6), kAdaShare), "say which unit, --set data.depth_unit=");
    expect_only(ChangedRooms(scaled(1000.0), {}), "write the data set again in metres");
    EXPECT_TRUE(messages(ChangedRooms(scaled(4.0), {})).empty()) << "a street";
}

TEST(Contradictions, ThirteenClassesAreNotForty) {
    const auto forty = [](ChangedRooms::Change change, int64_t count = 4) {
        auto rooms = std::make_unique<ChangedRooms>(std::move(change), kAdaShare, count);
        rooms->tasks()[segmentation].channels = 40;
        return rooms;
    };
    expect_only(*forty([](Sample&) {}), "those of 13 (0..12): --set data.classes=13");
    const auto from_one = [](Sample& sample) {
        cv::Mat& labels = sample.labels[segmentation].pixels;
        labels.at<uint8_t>(0, 0) = 12;
        labels += 1;
    };
    expect_only(*forty(from_one), "(1..13, 0 = unlabelled): --set data.classes=13 --set data.first_class=1");
    EXPECT_TRUE(messages(*forty([](Sample&) {}, 1)).empty()) << "one frame may have few classes";
    const auto few = [](Sample& sample) { sample.labels[segmentation].pixels.setTo(3); };
    EXPECT_TRUE(messages(*forty(few)).empty());
    const auto far = [](Sample& sample) { sample.labels[segmentation].pixels.at<uint8_t>(0, 0) = 38; };
    EXPECT_TRUE(messages(*forty(far)).empty());
}

TEST(NormalEvidence, FindsEachOf48Axes) {
    const SyntheticRooms rooms({.count = 2, .height = 60, .width = 80, .seed = 9});
    for (const NormalAxes& axes : all_normal_axes()) {
        NormalEvidence evidence;
        for (int64_t i = 0; i < rooms.size(); ++i) {
            const Sample sample = rooms.get(i);
            const cv::Mat& pixels = sample.labels[normals].pixels;
            cv::Mat file = pixels.type() == CV_8UC3 ? decode_normals(pixels) : pixels.clone();
            for (cv::Vec3f& n : cv::Mat_<cv::Vec3f>(file)) {
                const cv::Vec3f right = n;
                for (int axis = 0; axis < 3; ++axis) n[axes.channel[axis]] = axes.sign[axis] * right[axis];
            }
            evidence.add(file, sample.labels[depth].pixels, kUsualFocalLength);
        }
        const AxesVerdict verdict = evidence.verdict();
        EXPECT_TRUE(verdict.certain) << normal_axes_text(axes);
        EXPECT_EQ(verdict.axes, axes) << normal_axes_text(axes);
        EXPECT_EQ(parse_normal_axes(normal_axes_text(axes), "here"), axes);
    }
}

TEST(NormalEvidence, IsNotCertainOfWallsOrOfNoise) {
    NormalEvidence wall;
    wall.add(cv::Mat(60, 80, CV_32FC3, cv::Scalar(0, 0, -1)), cv::Mat(60, 80, CV_32FC1, cv::Scalar(2.0)),
             kUsualFocalLength);
    EXPECT_FALSE(wall.verdict().certain) << "left and right look the same";
    NormalEvidence noise;
    noise.add(decode_normals(random_pixels(60, 80, 3, 1, 255)), random_depth(60, 80, 2), kUsualFocalLength);
    EXPECT_FALSE(noise.verdict().certain);
    EXPECT_FALSE(NormalEvidence().verdict().certain);
}

TEST(TurnedCodes, AreTheCodesOfTurnedVectors) {
    const cv::Mat codes = random_pixels(20, 20, 3, 7, 255);
    const NormalAxes layout = parse_normal_axes("right forward up", "");
    EXPECT_EQ(cv::norm(turned_codes(codes, layout), codes, cv::NORM_INF), 0.0);
    // Red, green, blue of the file as vectors, turned, against the turned codes.
    const NormalAxes axes = parse_normal_axes("right up backward", "");
    const cv::Mat turned = decode_normals(turned_codes(codes, axes)), plain = decode_normals(codes);
    for (int y = 0; y < 20; ++y)
        for (int x = 0; x < 20; ++x) {
            const cv::Vec3f n = plain.at<cv::Vec3f>(y, x);  // x = red, y = -blue, z = green
            const cv::Vec3f expected(n[0], -n[2], n[1]);    // down = -green, forward = -blue
            EXPECT_LT(cv::norm(turned.at<cv::Vec3f>(y, x) - expected), 0.02) << x << " " << y;
        }
    const cv::Mat masked(1, 1, CV_8UC3, cv::Scalar(255, 3, 4)), none(1, 1, CV_8UC3, cv::Scalar::all(127));
    EXPECT_EQ(turned_codes(masked, axes).at<cv::Vec3b>(0, 0), cv::Vec3b(255, 3, 4));
    EXPECT_EQ(turned_codes(none, axes).at<cv::Vec3b>(0, 0), cv::Vec3b::all(127));
}

TEST(ClassEvidence, TrainIdsOfCityscapesHave255AndNothingAbove18) {
    cv::Mat train(4, 8, CV_8UC1, cv::Scalar(255));
    for (int i = 0; i < 19; ++i) train.data[i] = static_cast<uint8_t>(i);
    EXPECT_TRUE(are_cityscapes_train_ids({train}));
    cv::Mat label = train.clone();
    label.data[0] = 26;
    EXPECT_FALSE(are_cityscapes_train_ids({train, label})) << "a car, and the licence plate's 255";
    cv::Mat whole = train.clone();
    whole.setTo(0, whole == 255);
    EXPECT_FALSE(are_cityscapes_train_ids({whole}));
    EXPECT_FALSE(are_cityscapes_train_ids({cv::Mat(4, 8, CV_8UC1, cv::Scalar(255))})) << "a test frame";
}

TEST(DepthUnits, AreNames) {
    EXPECT_EQ(metres_in("millimetres", "here"), 0.001f);
    EXPECT_NE(error_of([] { metres_in("milimetres", "here"); }).find("did you mean 'millimetres'?"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::conventions_test
