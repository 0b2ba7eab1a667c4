#include "datasets/layouts/adashare.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/npy.h"
#include "datasets/contract/label_checks.h"
#include "datasets/layouts/frame_files.h"
#include "datasets/layouts/frame_list.h"

namespace mtlprune {
namespace {

constexpr const char* kListName = "nyu_v2_3task.json";

}  // namespace

AdaShareNyuv2::AdaShareNyuv2(AdaShareOptions options) : options_(std::move(options)) {
    if (options_.classes < 1 || options_.classes > 255)
        throw Error("AdaShare NYUv2", "classes", "1..255", std::to_string(options_.classes));
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
    const auto paths = parse_frame_list(read_file(place, "NYUv2 list"), {"NYUv2 list", place}, options_.split,
                                        {"image", "segmentation", "normals", "depth"});
    std::vector<Frame> frames(paths.size());
    for (size_t i = 0; i < frames.size(); ++i) std::copy_n(paths[i].begin(), modalities, frames[i].begin());
    return frames;
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
    if (modality == image || modality == normals) return read_colour_image(path);
    if (modality == segmentation) {
        cv::Mat classes = read_label_image(path);
        check_classes(classes, options_.classes, path.string());
        return classes;
    }
    cv::Mat metres = read_npy(path);
    check_depth(metres, path.string());
    return metres;
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
