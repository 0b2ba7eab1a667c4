#include "datasets/layouts/adashare.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text_file.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/npy.h"
#include "datasets/contract/label_checks.h"
#include "datasets/conventions/class_evidence.h"
#include "datasets/conventions/depth_evidence.h"
#include "datasets/layouts/frame_files.h"
#include "datasets/layouts/frame_list.h"

namespace mtlprune {
namespace {

constexpr const char* kListName = "nyu_v2_3task.json";
constexpr int64_t kUsualClasses = 40, kClassFrames = 8;
const std::vector<std::string> kFrameFields = {"image", "segmentation", "normals", "depth"};
constexpr NormalAxes kLayoutAxes = {{0, 2, 1}, {1.0f, -1.0f, 1.0f}};  // right, forward, up

}  // namespace

AdaShareNyuv2::AdaShareNyuv2(AdaShareOptions options)
    : options_(std::move(options)),
      axes_(parse_normal_axes(options_.normal_axes, "normal_axes")),
      metres_(metres_in(options_.depth_unit, "depth_unit")) {
    if (options_.first_class != 0 && options_.first_class != 1)
        throw Error("AdaShare NYUv2", "first_class", "0 or 1", std::to_string(options_.first_class));
    if (options_.classes < 1 || options_.classes > 255)
        throw Error("AdaShare NYUv2", "classes", "1..255", std::to_string(options_.classes));
    if (options_.recognise_classes) recognise_classes();
    tasks_ = nyuv2_tasks(options_.classes);
    const auto all = read_list();
    const auto available = static_cast<int64_t>(all.size());
    if (options_.limit < 0 || options_.limit > available)
        throw Error("AdaShare NYUv2", (options_.folder / kListName).string() + ": " + options_.split,
                    fmt::format("a limit in 0..{}", available), std::to_string(options_.limit));
    const int64_t used = options_.limit == 0 ? available : options_.limit;
    for (int64_t i = 0; i < used; ++i) frames_.push_back(all[i * available / used]);
}

std::vector<AdaShareNyuv2::Frame> AdaShareNyuv2::read_list() const {
    const std::string place = (options_.folder / kListName).string();
    const auto paths =
        parse_frame_list(read_text(place, "NYUv2 list"), {"NYUv2 list", place}, options_.split, kFrameFields);
    std::vector<Frame> frames(paths.size());
    for (size_t i = 0; i < frames.size(); ++i) std::copy_n(paths[i].begin(), modalities, frames[i].begin());
    return frames;
}

/// Classes from 0 are the same classes whatever their number; only that is taken over. From all splits, so
/// that each is read in the same way.
void AdaShareNyuv2::recognise_classes() {
    const std::string place = (options_.folder / kListName).string();
    const std::string list = read_text(place, "NYUv2 list");
    std::vector<std::filesystem::path> files;
    for (const auto& split : frame_list_splits(list, {"NYUv2 list", place}))
        for (const auto& frame : parse_frame_list(list, {"NYUv2 list", place}, split, kFrameFields))
            files.push_back(options_.folder / frame[segmentation]);
    const auto count = std::min(kClassFrames, static_cast<int64_t>(files.size()));
    std::vector<cv::Mat> labels;
    for (int64_t i = 0; i < count; ++i) try {
            labels.push_back(read_label_image(files[i * static_cast<int64_t>(files.size()) / count]));
        } catch (const Error&) {
            // Reading the frame for its own sake says what is wrong with it.
        }
    const auto numbering = smaller_numbering(labels, options_.classes, {13});
    if (!numbering || numbering->first != 0) return;
    options_.classes = numbering->classes;
    recognised_ = fmt::format("segmentation: {} classes, as the labels show", numbering->classes);
}

std::filesystem::path AdaShareNyuv2::file(const Frame& frame, Modality modality) const {
    return options_.folder / frame[modality];
}

const AdaShareNyuv2::Frame& AdaShareNyuv2::frame(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("AdaShare NYUv2", options_.split, fmt::format("a frame in 0..{}", size() - 1),
                    std::to_string(index));
    return frames_[index];
}

/// Decodes one file and checks its values.
cv::Mat AdaShareNyuv2::read(const Frame& frame, Modality modality) const {
    const auto path = file(frame, modality);
    if (modality == image) return read_colour_image(path);
    if (modality == normals) {
        const cv::Mat codes = read_colour_image(path);
        return axes_ == kLayoutAxes ? codes : turned_codes(codes, axes_);
    }
    if (modality == segmentation) return read_classes(path);
    cv::Mat metres = read_npy(path);
    check_depth(metres, path.string());
    if (metres_ != 1.0f) metres *= metres_;
    return metres;
}

cv::Mat AdaShareNyuv2::read_classes(const std::filesystem::path& path) const {
    cv::Mat classes = read_label_image(path);
    if (options_.first_class == 1) {
        cv::Mat unlabelled = (classes == 0) | (classes == kIgnore);
        classes -= 1;
        classes.setTo(kIgnore, unlabelled);
    }
    try {
        check_classes(classes, options_.classes, path.string());
    } catch (const Error& error) {
        classes.setTo(0, classes == kIgnore);
        double most = 0;
        cv::minMaxLoc(classes, nullptr, &most);
        std::string hint;
        if (static_cast<int64_t>(most) == options_.classes && options_.first_class == 0)
            hint = "; where 0 means unlabelled: --set data.first_class=1";
        else if (options_.classes < kUsualClasses && most < kUsualClasses)
            hint = fmt::format("; labels of {0} classes: --set data.classes={0}", kUsualClasses);
        if (hint.empty()) throw;
        throw Error("labels", error.place(), error.problem() + hint);
    }
    return classes;
}

Reading AdaShareNyuv2::reading() const {
    Reading reading;
    reading.normal_axes = options_.normal_axes;
    reading.depth_unit = options_.depth_unit;
    reading.indoors = true;
    reading.class_numbers = {13, kUsualClasses};
    reading.first_class = options_.first_class;
    if (!recognised_.empty()) reading.recognised.push_back(recognised_);
    return reading;
}

std::vector<std::string> adashare_splits(const std::filesystem::path& folder) {
    const std::string place = (folder / kListName).string();
    return frame_list_splits(read_text(place, "NYUv2 list"), {"NYUv2 list", place});
}

void AdaShareNyuv2::check_size(const Frame& frame, Modality modality, const cv::Mat& pixels,
                               const cv::Mat& picture) const {
    if (pixels.size() != picture.size())
        throw Error("frame", file(frame, modality).string(),
                    fmt::format("{} as {} has", size_text(picture), file(frame, image).string()),
                    size_text(pixels));
}

std::string AdaShareNyuv2::id(int64_t index) const {
    return frame(index)[image];
}

Sample AdaShareNyuv2::get(int64_t index) const {
    const Frame& chosen = frame(index);
    Sample sample{chosen[image], read(chosen, image)};
    for (const Modality modality : kLabels) sample.labels.push_back({read(chosen, modality)});
    for (const Modality modality : kLabels)
        check_size(chosen, modality, sample.labels[modality - segmentation].pixels, sample.image);
    return sample;
}

std::vector<Error> AdaShareNyuv2::problems(int64_t index) const {
    const Frame& chosen = frame(index);
    std::vector<Error> found;
    cv::Mat picture;
    try {
        picture = read(chosen, image);
    } catch (const Error& error) {
        found.push_back(error);
    }
    for (const Modality modality : kLabels) try {
            const cv::Mat pixels = read(chosen, modality);
            if (!picture.empty()) check_size(chosen, modality, pixels, picture);
        } catch (const Error& error) {
            found.push_back(error);
        }
    return found;
}

std::string AdaShareNyuv2::description() const {
    return fmt::format("NYUv2 (AdaShare layout), split {}: {} frames of {}", options_.split, size(),
                       size_text(get(0).image));
}

}  // namespace mtlprune
