#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/normal_codes.h"
#include "datasets/pipeline/loader.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::transform_test {
namespace {

Sample random_sample(int height, int width) {
    Sample sample;
    sample.id = "frame 7";
    sample.image = random_pixels(height, width, 3, 1);
    sample.labels.resize(3);
    sample.labels[0].pixels = random_pixels(height, width, 1, 2, 40);
    sample.labels[0].pixels.at<uint8_t>(0, 0) = 255;
    sample.labels[1].pixels = random_pixels(height, width, 3, 3, 256);
    sample.labels[2].pixels = random_depth(height, width, 4);
    sample.labels[2].pixels.at<float>(height - 1, width - 1) = 0.0f;
    return sample;
}

TransformOptions options_for(int64_t height, int64_t width, Augmentation augmentation) {
    return {height, width, augmentation, ImageScaling::paper, NormalsTarget::paper_codes};
}

/// The protocol step by step on whole images with OpenCV: scale, mirror, pad, crop.
cv::Mat reference(const cv::Mat& source, const TransformOptions& options, const AugmentationDraw& draw,
                  int interpolation, const cv::Scalar& padding) {
    cv::Mat pixels;
    const cv::Size size(static_cast<int>(options.width), static_cast<int>(options.height));
    if (options.augmentation == Augmentation::none) {
        cv::resize(source, pixels, size, 0, 0, interpolation);
        return pixels;
    }
    cv::resize(source, pixels,
               {static_cast<int>(source.cols * draw.scale), static_cast<int>(source.rows * draw.scale)}, 0, 0,
               interpolation);
    if (draw.flip) cv::flip(pixels, pixels, 1);
    const int down = std::max(0, size.height - pixels.rows), across = std::max(0, size.width - pixels.cols);
    cv::copyMakeBorder(pixels, pixels, down / 2, down - down / 2, across / 2, across - across / 2,
                       cv::BORDER_CONSTANT, padding);
    const cv::Point start(static_cast<int>(draw.crop_x * (pixels.cols - size.width + 1)),
                          static_cast<int>(draw.crop_y * (pixels.rows - size.height + 1)));
    return pixels(cv::Rect(start, size)).clone();
}

/// HWC pixels to a float CHW tensor.
torch::Tensor planar(const cv::Mat& pixels) {
    cv::Mat values;
    pixels.convertTo(values, CV_32F);
    return torch::from_blob(values.data, {values.rows, values.cols, values.channels()})
        .permute({2, 0, 1})
        .clone(at::MemoryFormat::Contiguous);
}

void expect_equal(const torch::Tensor& found, const torch::Tensor& expected, const std::string& what) {
    ASSERT_EQ(found.sizes(), expected.sizes()) << what;
    EXPECT_TRUE(torch::equal(found, expected))
        << what << ": largest difference "
        << (found.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max();
}

void expect_paper_transform(const Sample& sample, const TransformOptions& options,
                            const AugmentationDraw& draw) {
    const auto place =
        fmt::format("scale {} flip {} crop {} {}", draw.scale, draw.flip, draw.crop_y, draw.crop_x);
    const auto result = transform_sample(sample, nyuv2_tasks(40), options, draw);
    const auto mean = torch::tensor({104.00698793f, 116.66876762f, 122.67891434f}).view({3, 1, 1});
    expect_equal(result.image, planar(reference(sample.image, options, draw, cv::INTER_LINEAR, 0)) - mean,
                 place);

    const auto labels =
        planar(reference(sample.labels[0].pixels, options, draw, cv::INTER_NEAREST, 255))[0].to(
            torch::kInt64);
    expect_equal(result.targets[0].mask, (labels != 255).unsqueeze(0), place);
    expect_equal(result.targets[0].value, labels * (labels != 255), place);

    const auto codes =
        planar(reference(sample.labels[1].pixels, options, draw, cv::INTER_NEAREST, cv::Scalar::all(255)));
    expect_equal(result.targets[1].value, codes, place);
    expect_equal(result.targets[1].mask, codes.amax(0, true) < 255, place);

    const auto depth = planar(reference(sample.labels[2].pixels, options, draw, cv::INTER_NEAREST, 0));
    expect_equal(result.targets[2].value, depth, place);
    expect_equal(result.targets[2].mask, depth > 3e-5, place);
}

TEST(Transform, TrainingEqualsResizingMirroringPaddingAndCroppingWholeImages) {
    const Sample sample = random_sample(48, 64);
    const auto options = options_for(33, 35, Augmentation::paper);
    Random random(5);
    for (int i = 0; i < 60; ++i)
        expect_paper_transform(sample, options,
                               {random.uniform(0.5, 1.5), i % 2 == 0, random.uniform(), random.uniform()});
}

TEST(Transform, TrainingHandlesTheLimitsOfItsDraws) {
    const Sample sample = random_sample(48, 64);
    for (const double scale : {0.5, 0.501, 0.6875, 0.75, 1.0, 1.25, std::nextafter(1.5, 0.0)})
        for (const double crop : {0.0, std::nextafter(1.0, 0.0)})
            for (const bool flip : {false, true})
                expect_paper_transform(sample, options_for(33, 33, Augmentation::paper),
                                       {scale, flip, crop, crop});
}

TEST(Transform, TestSqueezesWithoutKeepingTheAspect) {
    const Sample sample = random_sample(48, 64);
    const int64_t sizes[][2] = {{33, 33}, {48, 64}, {24, 32}, {12, 16}, {97, 97}, {1, 1}, {48, 31}};
    for (const auto& [height, width] : sizes)
        expect_paper_transform(sample, options_for(height, width, Augmentation::none), {0.7, true, 0.5, 0.5});
}

TEST(Transform, ImagesOfOnePixelStayConstant) {
    const Sample sample = random_sample(1, 1);
    expect_paper_transform(sample, options_for(5, 4, Augmentation::none), {});
    expect_paper_transform(sample, options_for(5, 4, Augmentation::paper), {1.2, true, 0.0, 0.0});
}

TEST(Transform, UnitScalingIsImageNetsInRgb) {
    Sample sample = random_sample(2, 2);
    sample.image.at<cv::Vec3b>(0, 1) = {51, 102, 204};  // B, G, R
    auto options = options_for(2, 2, Augmentation::none);
    options.image = ImageScaling::unit;
    const auto pixel = transform_sample(sample, nyuv2_tasks(40), options, {}).image.select(2, 1).select(1, 0);
    EXPECT_NEAR(pixel[0].item<float>(), (0.8 - 0.485) / 0.229, 1e-6);
    EXPECT_NEAR(pixel[1].item<float>(), (0.4 - 0.456) / 0.224, 1e-6);
    EXPECT_NEAR(pixel[2].item<float>(), (0.2 - 0.406) / 0.225, 1e-6);
}

/// A 1 x n row of normal codes given as (R, G, B), as true angles.
Target true_angles(const std::vector<std::array<int, 3>>& codes, Augmentation augmentation, bool flip) {
    const auto width = static_cast<int>(codes.size());
    Sample sample = random_sample(1, width);
    for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c)
            sample.labels[1].pixels.at<cv::Vec3b>(0, x)[c] = static_cast<uint8_t>(codes[x][2 - c]);
    const TransformOptions options = {1, width, augmentation, ImageScaling::unit, NormalsTarget::true_angles};
    return transform_sample(sample, nyuv2_tasks(40), options, {1.0, flip, 0.0, 0.0}).targets[1];
}

TEST(Transform, TrueAnglesAreUnitVectorsRightDownForward) {
    const auto target = true_angles({{254, 127, 127}, {127, 0, 127}, {127, 127, 254}, {200, 30, 90}},
                                    Augmentation::none, false);
    EXPECT_TRUE(target.mask.all().item<bool>());
    EXPECT_GT(target.value[0][0][0].item<float>(), 0.9999);   // red: right
    EXPECT_LT(target.value[2][0][1].item<float>(), -0.9999);  // no green: towards the camera
    EXPECT_LT(target.value[1][0][2].item<float>(), -0.9999);  // blue: up, so y (down) is negative
    const double x = 200 / 127.5 - 1, y = -(90 / 127.5 - 1), z = 30 / 127.5 - 1,
                 length = std::sqrt(x * x + y * y + z * z);
    EXPECT_NEAR(target.value[0][0][3].item<float>(), x / length, 1e-6);
    EXPECT_NEAR(target.value[1][0][3].item<float>(), y / length, 1e-6);
    EXPECT_NEAR(target.value[2][0][3].item<float>(), z / length, 1e-6);
}

TEST(Transform, TrueAnglesMaskCodesWithoutANormal) {
    const auto target = true_angles({{255, 255, 255},
                                     {127, 127, 127},
                                     {128, 128, 128},
                                     {255, 0, 0},
                                     {0, 255, 0},
                                     {0, 0, 255},
                                     {127, 127, 126},
                                     {129, 128, 128}},
                                    Augmentation::none, false);
    const auto expected = torch::tensor({0, 0, 0, 0, 0, 0, 1, 1}).to(torch::kBool).view({1, 1, 8});
    EXPECT_TRUE(torch::equal(target.mask, expected)) << target.mask;
    EXPECT_TRUE(torch::equal(target.value.masked_select(~expected), torch::zeros(18)));
    EXPECT_TRUE(torch::allclose(target.value.norm(2, 0, true), expected.to(torch::kFloat32)));
}

TEST(Transform, CorrectedMirroringTurnsNormalsAndPaperMirroringDoesNot) {
    const std::vector<std::array<int, 3>> codes = {{200, 30, 90}, {40, 60, 127}};
    const auto plain = true_angles(codes, Augmentation::corrected, false);
    const auto paper = true_angles(codes, Augmentation::paper, true);
    const auto corrected = true_angles(codes, Augmentation::corrected, true);
    expect_equal(paper.value, plain.value.flip(2), "paper");
    const auto sign = torch::tensor({-1.0f, 1.0f, 1.0f}).view({3, 1, 1});
    expect_equal(corrected.value, plain.value.flip(2) * sign, "corrected");
}

TEST(Transform, CorrectedMirroringOfCodesKeepsTheMask) {
    Sample sample = random_sample(6, 8);
    sample.labels[1].pixels.at<cv::Vec3b>(0, 0) = {
        10, 20, 0};  // x = -1 becomes +1, the code of the mask, but stays valid
    sample.labels[1].pixels.at<cv::Vec3b>(0, 1) = {10, 255, 30};
    const auto options = options_for(6, 8, Augmentation::corrected);
    const auto target = transform_sample(sample, nyuv2_tasks(40), options, {1.0, true, 0.0, 0.0}).targets[1];
    EXPECT_TRUE(target.mask[0][0][7].item<bool>());
    EXPECT_EQ(target.value[2][0][7].item<float>(), 255.0f);
    EXPECT_FALSE(target.mask[0][0][6].item<bool>());
    EXPECT_EQ(target.value[2][0][6].item<float>(), 30.0f);
    const auto codes = planar(sample.labels[1].pixels).flip(2);
    expect_equal(target.value.slice(0, 0, 2), codes.slice(0, 0, 2), "blue and green");
    expect_equal(target.mask, codes.amax(0, true) < 255, "mask");
}

TEST(Transform, CorrectedScalingMovesTheScene) {
    Sample sample = random_sample(48, 64);
    sample.labels[2].pixels.setTo(3.0f);
    const auto tasks = nyuv2_tasks(40);
    const auto near = transform_sample(sample, tasks, options_for(33, 33, Augmentation::corrected),
                                       {1.25, false, 0.3, 0.6});
    ASSERT_TRUE(near.targets[2].mask.any().item<bool>());
    EXPECT_TRUE(torch::allclose(near.targets[2].value.masked_select(near.targets[2].mask),
                                torch::tensor(3.0f / 1.25f)));
}

TEST(Transform, CorrectedScaleOneShowsObjectsAtTheTestTransformsMeanSize) {
    const Sample sample = random_sample(48, 64);
    // Mean test scale sqrt(24 * 32 / (48 * 64)) = 0.5: at equal aspect the whole frame fits the crop exactly.
    const auto tasks = nyuv2_tasks(40);
    const auto train =
        transform_sample(sample, tasks, options_for(24, 32, Augmentation::corrected), {1.0, false, 0.0, 0.0});
    const auto test = transform_sample(sample, tasks, options_for(24, 32, Augmentation::none), {});
    expect_equal(train.targets[0].value, test.targets[0].value, "segmentation");
    expect_equal(train.targets[2].value, test.targets[2].value, "depth");
}

TEST(Transform, KeypointsAndEdgesAreValidInsideTheImage) {
    Sample sample = random_sample(10, 10);
    const cv::Mat edges = random_depth(10, 10, 9);
    sample.labels = {{edges}};
    const std::vector<TaskSpec> tasks = {{"edges", TaskKind::edges, 1}};
    const auto target =
        transform_sample(sample, tasks, options_for(12, 11, Augmentation::paper), {1.0, false, 0.0, 0.0})
            .targets[0];
    auto inside = torch::zeros({1, 12, 11}, torch::kBool);
    inside.slice(1, 1, 11).slice(2, 0, 10).fill_(true);
    expect_equal(target.mask, inside, "mask");
    expect_equal(target.value.slice(1, 1, 11).slice(2, 0, 10), planar(edges), "values");
    EXPECT_EQ(target.value.masked_select(~inside).abs().sum().item<float>(), 0.0f);
}

/// Vectors in every direction, every fifth missing.
cv::Mat random_vectors(int height, int width, uint64_t key) {
    Random random(key);
    cv::Mat vectors(height, width, CV_32FC3, cv::Scalar::all(0));
    int number = 0;
    for (cv::Vec3f& v : cv::Mat_<cv::Vec3f>(vectors)) {
        if (number++ % 5 == 4) continue;
        do
            for (int c = 0; c < 3; ++c) v[c] = static_cast<float>(random.uniform(-1.0, 1.0));
        while (cv::norm(v) < 0.1);
        v = v / cv::norm(v);
    }
    return vectors;
}

/// Calls check(options, draw) for crops with padding and mirroring in all augmentations.
template <typename Check>
void for_each_transform(NormalsTarget normals, const Check& check) {
    Random random(11);
    for (const auto augmentation : {Augmentation::none, Augmentation::paper, Augmentation::corrected})
        for (int i = 0; i < 20; ++i) {
            auto options = options_for(33, 35, augmentation);
            options.normals = normals;
            check(options,
                  AugmentationDraw{random.uniform(0.5, 1.4), i % 2 == 0, random.uniform(), random.uniform()});
        }
}

TEST(Transform, VectorsMoveAsTheirCodesDo) {
    Sample codes = random_sample(48, 64), vectors = codes;
    vectors.labels[1].pixels = cv::Mat(48, 64, CV_32FC3, cv::Scalar::all(0));
    for (int y = 0; y < 48; ++y)
        for (int x = 0; x < 64; ++x) {
            const auto& code = codes.labels[1].pixels.at<cv::Vec3b>(y, x);
            if (code[0] == 255 || code[1] == 255 || code[2] == 255) continue;
            const cv::Vec3f n(code[2] / 127.5f - 1, 1 - code[0] / 127.5f, code[1] / 127.5f - 1);
            vectors.labels[1].pixels.at<cv::Vec3f>(y, x) = n / cv::norm(n);
        }
    for_each_transform(
        NormalsTarget::true_angles, [&](const TransformOptions& options, const AugmentationDraw& draw) {
            const auto expected = transform_sample(codes, nyuv2_tasks(40), options, draw).targets[1];
            const auto found = transform_sample(vectors, nyuv2_tasks(40), options, draw).targets[1];
            expect_equal(found.mask, expected.mask, "mask");
            EXPECT_TRUE(torch::allclose(found.value, expected.value, 1e-5, 1e-5));
            EXPECT_TRUE(expected.mask.any().item<bool>());
        });
}

TEST(Transform, PaperCodesOfVectorsAreTheirQuantisedOnes) {
    Sample vectors = random_sample(48, 64), codes = vectors;
    vectors.labels[1].pixels = random_vectors(48, 64, 21);
    codes.labels[1].pixels = encode_normals(vectors.labels[1].pixels);
    for_each_transform(
        NormalsTarget::paper_codes, [&](const TransformOptions& options, const AugmentationDraw& draw) {
            const auto expected = transform_sample(codes, nyuv2_tasks(40), options, draw).targets[1];
            const auto found = transform_sample(vectors, nyuv2_tasks(40), options, draw).targets[1];
            expect_equal(found.mask, expected.mask, "mask");
            expect_equal(found.value, expected.value, "codes");
        });
}

TEST(NormalCodes, FollowTheDocumentedFormula) {
    EXPECT_EQ(normal_code({0, 0, -1}), cv::Vec3b(128, 0, 128));   // BGR: up, forward, right
    EXPECT_EQ(normal_code({1, 0, 0}), cv::Vec3b(128, 128, 254));  // 255 is left to masks
    EXPECT_EQ(normal_code({0, 1, 0}), cv::Vec3b(0, 128, 128));
    EXPECT_EQ(normal_code({0.96f, -0.28f, 0}), cv::Vec3b(163, 128, 250));  // 163.2, 249.9
    EXPECT_EQ(normal_code({0, 0, 0}), cv::Vec3b(255, 255, 255));
}

TEST(Transform, InverseDepthGrowsWhenTheSceneComesNearer) {
    Sample sample = random_sample(48, 64);
    sample.labels = {{cv::Mat(48, 64, CV_32FC1, cv::Scalar(0.25))}};
    const std::vector<TaskSpec> tasks = {{"nearness", TaskKind::depth, 1, {}, /*inverse=*/true}};
    const auto target =
        transform_sample(sample, tasks, options_for(33, 33, Augmentation::corrected), {1.25, false, 0.3, 0.6})
            .targets[0];
    EXPECT_TRUE(torch::allclose(target.value.masked_select(target.mask), torch::tensor(0.25f * 1.25f)));
}

TEST(Transform, NamesTheSampleAndTaskThatDoNotFit) {
    const auto options = options_for(8, 8, Augmentation::none);
    const auto message_of = [&](const Sample& sample) {
        return error_of([&] { transform_sample(sample, nyuv2_tasks(40), options, {}); });
    };
    Sample sample = random_sample(6, 8);
    sample.labels[2].pixels = cv::Mat();
    EXPECT_NE(message_of(sample).find("frame 7: expected labels of task depth, found none"),
              std::string::npos);
    sample.labels[2].pixels = random_depth(6, 7, 1);
    EXPECT_NE(message_of(sample).find("frame 7: expected labels of task depth"), std::string::npos);
    sample.image = random_pixels(6, 8, 1, 1);
    EXPECT_NE(message_of(sample).find("frame 7: expected an 8-bit BGR image"), std::string::npos);
    EXPECT_NE(error_of([&] {
                  transform_sample(random_sample(6, 8), nyuv2_tasks(40),
                                   options_for(0, 8, Augmentation::none), {});
              }).find("found 0x8"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::transform_test
