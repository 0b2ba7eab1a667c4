#include "datasets/layouts/nyuv2_mtan.h"

#include <fmt/format.h>

#include "base/error.h"
#include "datasets/conventions/depth_evidence.h"
#include "datasets/conventions/normal_evidence.h"
#include "datasets/layouts/frame_files.h"

namespace mtlprune {
namespace {

constexpr int64_t kMtanClasses = 13;
constexpr double kLeastFacing = 0.75;
constexpr int64_t kFramesToRecognise = 3;  // of each split
constexpr const char* kMtanNyu = "NYUv2 (MTAN layout)";
constexpr const char* kUsualAxes = "right down forward";

void add_evidence(const MtanFolder& files, NormalEvidence& evidence) {
    const int64_t count = std::min(kFramesToRecognise, files.size());
    for (int64_t i = 0; i < count; ++i) try {
            const int64_t index = i * files.size() / count;
            const auto place = files.file(index, "normal").string();
            evidence.add(unit_normals(files.read_vectors(index, "normal"), {}, place),
                         files.read_depth(index), kUsualFocalLength);
        } catch (const Error&) {
            // Reading the frame for its own sake says what is wrong with it.
        }
}

}  // namespace

MtanNyuv2::MtanNyuv2(MtanNyuv2Options options)
    : files_(options.folder, options.split, options.limit, kMtanNyu),
      axes_given_(!options.normal_axes.empty()),
      metres_(metres_in(options.depth_unit, "depth_unit")),
      options_(std::move(options)),
      axes_(parse_normal_axes(axes_given_ ? options_.normal_axes : kUsualAxes, "normal_axes")),
      tasks_(nyuv2_tasks(kMtanClasses)) {}

/// From a few frames of both splits, evenly spaced, so that a split or a limit changes nothing.
std::optional<NormalAxes> MtanNyuv2::recognised_axes() const {
    std::call_once(looked_, [&] {
        NormalEvidence evidence;
        for (const char* split : {"train", "val"}) try {
                add_evidence(MtanFolder(options_.folder, split, 0, kMtanNyu), evidence);
            } catch (const Error&) {
                // The other split need not be there.
            }
        const AxesVerdict verdict = evidence.verdict();
        if (verdict.certain) recognised_ = verdict.axes;
    });
    return recognised_;
}

const NormalAxes& MtanNyuv2::axes() const {
    return !axes_given_ && recognised_axes() ? *recognised_ : axes_;
}

cv::Mat MtanNyuv2::read_normals(int64_t index) const {
    const std::string place = files_.file(index, "normal").string();
    const cv::Mat normals = unit_normals(files_.read_vectors(index, "normal"), axes(), place);
    const double facing = facing_fraction(normals, kUsualFocalLength);
    if (facing < kLeastFacing) {
        const auto right = recognised_axes();
        throw Error("normals", place, "surfaces that face the camera",
                    fmt::format("{:.0f} % that do; its axes are not '{}': {}--set data.normal_axes=\"{}\"",
                                100.0 * facing, normal_axes_text(axes()), right ? "" : "say which, e.g. ",
                                right ? normal_axes_text(*right) : "right forward up"));
    }
    return normals;
}

cv::Mat MtanNyuv2::read_depth(int64_t index) const {
    cv::Mat depth = files_.read_depth(index);
    if (metres_ != 1.0f) depth *= metres_;
    return depth;
}

Reading MtanNyuv2::reading() const {
    Reading reading;
    reading.normal_axes = normal_axes_text(axes());
    reading.depth_unit = options_.depth_unit;
    reading.indoors = true;
    if (!axes_given_ && axes() != NormalAxes())
        reading.recognised.push_back("normals: axes " + reading.normal_axes +
                                     ", as normals fitted to depth show");
    return reading;
}

Sample MtanNyuv2::get(int64_t index) const {
    Sample sample;
    sample.id = id(index);
    sample.image = files_.read_image(index);
    const cv::Mat classes = files_.read_classes(index, "label", kMtanClasses), depth = read_depth(index),
                  normals = read_normals(index);
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
