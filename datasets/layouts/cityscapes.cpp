#include "datasets/layouts/cityscapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json_reader.h"
#include "base/text_file.h"
#include "datasets/codecs/image_file.h"
#include "datasets/conventions/class_evidence.h"
#include "datasets/layouts/cityscapes_labels.h"
#include "datasets/layouts/frame_files.h"

namespace mtlprune {
namespace {

constexpr const char* kCityscapes = "Cityscapes";
constexpr const char* kImageEnding = "_leftImg8bit.png";
constexpr int64_t kLabelFrames = 8;
constexpr float kInverseScale = 1.0f / 65535.0f;

std::vector<std::string> list_frames(const std::filesystem::path& images) {
    const std::string ending = kImageEnding;
    std::vector<std::string> frames;
    for (const std::string& city : folders_in(images, kCityscapes))
        for (const std::string& name : names_in(images / city, kCityscapes))
            if (name.size() > ending.size() && name.ends_with(ending))
                frames.push_back(city + "/" + name.substr(0, name.size() - ending.size()));
    if (frames.empty())
        throw Error(kCityscapes, images.string(), fmt::format("files <city>/*{}", kImageEnding), "none");
    return frames;
}

double positive(const nlohmann::json& camera, const char* group, const char* key, const std::string& place) {
    const auto pointer = nlohmann::json::json_pointer(fmt::format("/{}/{}", group, key));
    const bool is_number = camera.contains(pointer) && camera.at(pointer).is_number();
    const double value = is_number ? camera.at(pointer).get<double>() : 0.0;
    if (!(value > 0.0) || !std::isfinite(value))
        throw Error("camera", place, fmt::format("a positive number {}.{}", group, key),
                    is_number ? camera.at(pointer).dump() : "none");
    return value;
}

/// Metres times pixels: baseline * focal length.
double read_camera(const std::filesystem::path& path) {
    const std::string place = path.string();
    const auto camera = parse_json(read_text(path, "camera"), place);
    return positive(camera, "extrinsic", "baseline", place) * positive(camera, "intrinsic", "fx", place);
}

/// What every code of a 16-bit image stands for.
template <typename Value>
cv::Mat decode(const cv::Mat& codes, const Value& value_of) {
    cv::Mat values(codes.size(), CV_32FC1);
    for (int y = 0; y < codes.rows; ++y) {
        const uint16_t* in = codes.ptr<uint16_t>(y);
        float* out = values.ptr<float>(y);
        for (int x = 0; x < codes.cols; ++x) out[x] = value_of(in[x]);
    }
    return values;
}

}  // namespace

Cityscapes::Cityscapes(CityscapesOptions options) : options_(std::move(options)) {
    const std::string& split = options_.split;
    if (split != "train" && split != "val" && split != "test")
        throw Error(kCityscapes, options_.folder.string(), "split train, val or test", "'" + split + "'");
    const auto classes = static_cast<int64_t>(cityscapes_class_names(options_.classes).size());
    std::error_code ignored;
    metres_ = options_.depth == CityscapesDepth::metres ||
              (options_.depth == CityscapesDepth::automatic &&
               std::filesystem::is_directory(options_.folder / "camera", ignored));
    tasks_ = {{"segmentation", TaskKind::segmentation, classes},
              metres_ ? TaskSpec{"depth", TaskKind::depth, 1} : inverse_depth_task()};
    const auto images = options_.folder / "leftImg8bit" / split;
    const auto all = list_frames(images);
    for (const int64_t i :
         evenly_spaced(static_cast<int64_t>(all.size()), options_.limit, kCityscapes, images.string()))
        frames_.push_back(all[i]);
}

std::filesystem::path Cityscapes::file(int64_t index, const std::string& folder,
                                       const std::string& ending) const {
    return options_.folder / folder / options_.split / (frames_[index] + ending);
}

cv::Mat Cityscapes::read_depth(int64_t index) const {
    const cv::Mat codes = read_grey16_image(file(index, "disparity", "_disparity.png"));
    if (!metres_)
        return decode(codes, [](uint16_t code) { return static_cast<float>(code) * kInverseScale; });
    // Disparity 0 (code 1) is infinitely far, which metres cannot say: missing, like code 0.
    const auto scale = static_cast<float>(256.0 * read_camera(file(index, "camera", "_camera.json")));
    return decode(codes,
                  [=](uint16_t code) { return code > 1 ? scale / static_cast<float>(code - 1) : 0.0f; });
}

Sample Cityscapes::get(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error(kCityscapes, options_.split, fmt::format("a frame in 0..{}", size() - 1),
                    std::to_string(index));
    const auto image = file(index, "leftImg8bit", kImageEnding);
    const auto labels = file(index, "gtFine", "_gtFine_labelIds.png");
    Sample sample;
    sample.id = id(index);
    sample.image = read_colour_image(image);
    const cv::Mat ids = read_label_image(labels),
                  classes = options_.train_ids
                                ? map_cityscapes_train_ids(ids, options_.classes, labels.string())
                                : map_cityscapes_ids(ids, options_.classes, labels.string()),
                  depth = read_depth(index);
    check_frame_size(classes, labels, sample.image, image);
    check_frame_size(depth, file(index, "disparity", "_disparity.png"), sample.image, image);
    sample.labels = {{classes}, {depth}};
    return sample;
}

std::vector<Error> Cityscapes::contradictions() const {
    std::vector<cv::Mat> ids;
    const int64_t count = std::min(kLabelFrames, size());
    for (int64_t i = 0; i < count; ++i) try {
            ids.push_back(read_label_image(file(i * size() / count, "gtFine", "_gtFine_labelIds.png")));
        } catch (const Error&) {
            // Reading the frame for its own sake says what is wrong with it.
        }
    if (options_.train_ids || !are_cityscapes_train_ids(ids)) return {};
    return {Error("labels", (options_.folder / "gtFine" / options_.split).string(), "label ids 0..33",
                  "255 beside nothing above 18, which are train ids: --set data.label_ids=train")};
}

std::string Cityscapes::description() const {
    return fmt::format("Cityscapes, split {}, {} classes, {}: {} frames of {}", options_.split,
                       options_.classes, metres_ ? "depth in metres" : "inverse depth", size(),
                       size_text(read_colour_image(file(0, "leftImg8bit", kImageEnding))));
}

}  // namespace mtlprune
