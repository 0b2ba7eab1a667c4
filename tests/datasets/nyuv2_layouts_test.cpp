// Real NYUv2 frames in the AdaShare and in the MTAN layout are the same frames.
#include <array>
#include <cstdlib>
#include <opencv2/imgproc.hpp>

#include "datasets/layouts/adashare.h"
#include "datasets/layouts/nyuv2_mtan.h"
#include "datasets/pipeline/loader.h"
#include "tests/bad_input.h"
#include "tests/data_folder.h"

namespace mtlprune::nyuv2_layouts_test {
namespace {

namespace fs = std::filesystem;

/// Of each of the 40 classes (0-based) the class among 13 (0-based), from the published class13Mapping.mat.
constexpr std::array<uint8_t, 40> kThirteen = {11, 4,  5, 0, 3, 8, 9, 11, 12, 5, 7,  5, 12, 9,
                                               5,  12, 5, 6, 6, 4, 6, 2,  1,  5, 10, 6, 6,  6,
                                               6,  6,  6, 5, 6, 6, 6, 6,  6,  6, 5,  6};

fs::path frames_folder() {
    return real_data() / "nyuv2";
}

bool write_layout(const std::string& layout, const fs::path& folder) {
    const std::string command =
        fmt::format("/usr/bin/python3 '{}' '{}' --layout {} --train 2 --test 1 > '{}.log' 2>&1",
                    (frames_folder() / "prepare.py").string(), folder.string(), layout, folder.string());
    return std::system(command.c_str()) == 0;
}

class Nyuv2Layouts : public testing::Test {
  protected:
    void SetUp() override {
        if (!fs::exists(frames_folder() / "prepare.py"))
            GTEST_SKIP() << "no real frames in " << frames_folder() << " (set MTLPRUNE_TEST_DATA)";
        for (const char* layout : {"adashare", "mtan"})
            if (!write_layout(layout, folder_ / layout))
                GTEST_SKIP() << "prepare.py does not run (needs python3 with numpy and cv2)";
    }
    /// Calls check(AdaShare's frame, MTAN's frame) for all frames.
    template <typename Check>
    void for_each_frame(const Check& check) const {
        for (const char* split : {"train", "test"}) {
            const AdaShareNyuv2 adashare({.folder = folder_ / "adashare", .split = split});
            const MtanNyuv2 mtan({.folder = folder_ / "mtan", .split = split});
            ASSERT_EQ(adashare.size(), mtan.size());
            for (int64_t i = 0; i < mtan.size(); ++i) check(adashare.get(i), mtan.get(i));
        }
    }
    TemporaryFolder folder_;
};

cv::Mat resized(const cv::Mat& pixels, int interpolation) {
    cv::Mat result;
    cv::resize(pixels, result, {384, 288}, 0, 0, interpolation);
    return result;
}

TEST_F(Nyuv2Layouts, HaveTheSameFrames) {
    for_each_frame([](const Sample& adashare, const Sample& mtan) {
        ASSERT_EQ(mtan.image.size(), cv::Size(384, 288));
        EXPECT_LE(cv::norm(resized(adashare.image, cv::INTER_AREA), mtan.image, cv::NORM_INF), 1.0);
        cv::Mat table(1, 256, CV_8UC1, cv::Scalar(255)), labels;
        std::copy(kThirteen.begin(), kThirteen.end(), table.ptr<uint8_t>());
        cv::LUT(resized(adashare.labels[0].pixels, cv::INTER_NEAREST), table, labels);
        EXPECT_EQ(cv::norm(labels, mtan.labels[0].pixels, cv::NORM_INF), 0.0);
        EXPECT_EQ(cv::norm(resized(adashare.labels[2].pixels, cv::INTER_NEAREST), mtan.labels[2].pixels,
                           cv::NORM_INF),
                  0.0);

        const TransformOptions options = {288, 384, Augmentation::none, ImageScaling::unit,
                                          NormalsTarget::true_angles};
        const auto a = transform_sample(adashare, nyuv2_tasks(40), options, {}).targets[1];
        const auto b = transform_sample(mtan, nyuv2_tasks(13), options, {}).targets[1];
        EXPECT_TRUE(torch::equal(a.mask, b.mask));
        EXPECT_GT(b.mask.to(torch::kFloat64).mean().item<double>(), 0.8);
        const auto cosine = (a.value * b.value).sum(0, true).masked_select(b.mask);
        EXPECT_GT(cosine.min().item<double>(), std::cos(0.6 * CV_PI / 180.0));
    });
}

}  // namespace
}  // namespace mtlprune::nyuv2_layouts_test
