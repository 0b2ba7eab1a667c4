#include "datasets/layouts/nyuv2_mtan.h"

#include <fmt/format.h>

#include "base/error.h"
#include "datasets/layouts/frame_files.h"

namespace mtlprune {
namespace {

constexpr int64_t kMtanClasses = 13;
constexpr double kFocalLength = 519.0 / 640.0;  // of the Kinect's colour camera, in image widths
constexpr double kLeastFacing = 0.75;

}  // namespace

MtanNyuv2::MtanNyuv2(MtanNyuv2Options options)
    : files_(options.folder, options.split, options.limit, "NYUv2 (MTAN layout)"),
      axes_(parse_normal_axes(options.normal_axes, "normal_axes")),
      tasks_(nyuv2_tasks(kMtanClasses)) {}

cv::Mat MtanNyuv2::read_normals(int64_t index) const {
    const std::string place = files_.file(index, "normal").string();
    const cv::Mat normals = unit_normals(files_.read_vectors(index, "normal"), axes_, place);
    const double facing = facing_fraction(normals, kFocalLength);
    if (facing < kLeastFacing)
        throw Error("normals", place, "surfaces that face the camera",
                    fmt::format("{:.0f} % that do; its axes need another normal_axes", 100.0 * facing));
    return normals;
}

Sample MtanNyuv2::get(int64_t index) const {
    Sample sample;
    sample.id = id(index);
    sample.image = files_.read_image(index);
    const cv::Mat classes = files_.read_classes(index, "label", kMtanClasses),
                  depth = files_.read_depth(index), normals = read_normals(index);
    const auto image = files_.file(index, "image");
    check_frame_size(classes, files_.file(index, "label"), sample.image, image);
    check_frame_size(depth, files_.file(index, "depth"), sample.image, image);
    check_frame_size(normals, files_.file(index, "normal"), sample.image, image);
    sample.labels = {{classes}, {normals}, {depth}};
    return sample;
}

std::string MtanNyuv2::description() const {
    return fmt::format("NYUv2 (MTAN layout), split {}: {} frames of {}", files_.split(), size(),
                       size_text(files_.read_image(0)));
}

}  // namespace mtlprune
