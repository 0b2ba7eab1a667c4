#include "datasets/adashare.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "datasets/atomic_file.h"
#include "datasets/config.h"
#include "datasets/error.h"
#include "datasets/image_file.h"
#include "datasets/label_checks.h"
#include "datasets/npy.h"

namespace mtlprune {
namespace {

constexpr const char* kListName = "nyu_v2_3task.json";

bool leaves_folder(const std::filesystem::path& path) {
    const auto normal = path.lexically_normal();
    return path.is_absolute() || (!normal.empty() && *normal.begin() == "..");
}

const nlohmann::json& find_split(const nlohmann::json& list, const std::string& split,
                                 const std::string& place) {
    if (!list.is_object()) throw Error("NYUv2 list", place, "an object of splits", list.dump().substr(0, 40));
    std::vector<std::string> names;
    for (const auto& [name, value] : list.items()) names.push_back(name);
    const auto found = list.find(split);
    if (found == list.end())
        throw Error("NYUv2 list", place, "split '" + split + "'",
                    fmt::format("only {}{}", nlohmann::json(names).dump(), did_you_mean(split, names)));
    if (!found->is_array() || found->empty())
        throw Error("NYUv2 list", place + ": " + split, "a list of frames",
                    found->is_array() ? "an empty list" : found->dump().substr(0, 40));
    return *found;
}

std::string size_text(const cv::Mat& pixels) {
    return fmt::format("{}x{}", pixels.cols, pixels.rows);
}

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
    const auto list = parse_json(read_file(place, "NYUv2 list"), place);
    std::vector<Frame> frames;
    for (const auto& entry : find_split(list, options_.split, place)) {
        const std::string where = fmt::format("{}: {}[{}]", place, options_.split, frames.size());
        if (!entry.is_array() || entry.size() != modalities)
            throw Error("NYUv2 list", where, "4 paths [image, segmentation, normals, depth]",
                        entry.is_array() ? std::to_string(entry.size()) : entry.dump().substr(0, 40));
        Frame frame;
        for (size_t m = 0; m < frame.size(); ++m) {
            if (!entry[m].is_string())
                throw Error("NYUv2 list", where, "a path", entry[m].dump().substr(0, 40));
            frame[m] = entry[m].get<std::string>();
            if (frame[m].empty() || leaves_folder(frame[m]))
                throw Error("NYUv2 list", where, "a path inside the data set's folder", "'" + frame[m] + "'");
        }
        frames.push_back(std::move(frame));
    }
    return frames;
}

std::filesystem::path AdaShareNyuv2::file(const Frame& frame, Modality modality) const {
    return options_.folder / frame[modality];
}

void AdaShareNyuv2::check_sizes(const Frame& frame, const Sample& sample) const {
    const std::pair<Modality, const cv::Mat*> others[] = {
        {segmentation, &sample.segmentation}, {normals, &sample.normals}, {depth, &sample.depth}};
    for (const auto& [modality, pixels] : others)
        if (pixels->size() != sample.image.size())
            throw Error("frame", file(frame, modality).string(),
                        fmt::format("{} as {} has", size_text(sample.image), file(frame, image).string()),
                        size_text(*pixels));
}

Sample AdaShareNyuv2::get(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("AdaShare NYUv2", options_.split, fmt::format("a frame in 0..{}", size() - 1),
                    std::to_string(index));
    const Frame& frame = frames_[index];
    Sample sample;
    sample.id = frame[image];
    sample.image = read_colour_image(file(frame, image));
    sample.segmentation = read_label_image(file(frame, segmentation));
    sample.normals = read_colour_image(file(frame, normals));
    sample.depth = read_npy(file(frame, depth));
    check_sizes(frame, sample);
    check_classes(sample.segmentation, options_.classes, file(frame, segmentation).string());
    check_depth(sample.depth, file(frame, depth).string());
    return sample;
}

std::string AdaShareNyuv2::description() const {
    return fmt::format("NYUv2 (AdaShare layout), split {}: {} frames of {}", options_.split, size(),
                       size_text(get(0).image));
}

}  // namespace mtlprune
