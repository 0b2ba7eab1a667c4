#include "datasets/layouts/nyuv2_mat.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/codecs/deflate.h"
#include "datasets/codecs/matlab_v5.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/contract/label_checks.h"
#include "datasets/pipeline/normals_from_depth.h"

namespace mtlprune {
namespace {

constexpr const char* kFileName = "nyu_depth_v2_labeled.mat";
constexpr int64_t kCoarseClasses = 40;
constexpr int64_t kMostClasses = 65535;

std::filesystem::path find_file(const std::filesystem::path& folder) {
    return std::filesystem::is_directory(folder) ? folder / kFileName : folder;
}

/// Refuses an array that declares more than the file can hold.
void check_stored(const Hdf5Dataset& array) {
    const int64_t stored = array.stored_bytes();
    if (array.bytes() > stored * kLargestDeflateRatio)
        throw Error("NYUv2 MATLAB file", array.place(), fmt::format("data for {} bytes", array.bytes()),
                    fmt::format("{} bytes", stored));
}

cv::Mat upright(const cv::Mat& transposed) {
    cv::Mat pixels;
    cv::transpose(transposed, pixels);
    return pixels;
}

}  // namespace

Nyuv2Mat::Nyuv2Mat(Nyuv2MatOptions options)
    : options_(std::move(options)),
      path_(find_file(options_.folder)),
      file_(Hdf5File::open(path_)),
      images_(file_.dataset("images")),
      depths_(file_.dataset("depths")),
      labels_(file_.dataset("labels")) {
    if (options_.classes != kCoarseClasses && options_.classes != 13)
        throw Error("NYUv2 MATLAB file", "classes", "40 or 13", std::to_string(options_.classes));
    check_arrays();
    size_ = cv::Size(static_cast<int>(images_.shape()[2]), static_cast<int>(images_.shape()[3]));
    tasks_ = nyuv2_tasks(options_.classes);
    read_classes();
    read_split();
}

void Nyuv2Mat::check_arrays() const {
    images_.require(Hdf5Type::uint8, {-1, 3, -1, -1});
    const int64_t frames = images_.shape()[0], width = images_.shape()[2], height = images_.shape()[3];
    if (frames < 1 || width < 1 || height < 1 || width > kLargestSide || height > kLargestSide)
        throw Error("NYUv2 MATLAB file", images_.place(),
                    fmt::format("frames with sides in 1..{}", kLargestSide),
                    fmt::format("{} frames of {}x{}", frames, width, height));
    depths_.require(Hdf5Type::float32, {frames, width, height});
    labels_.require(Hdf5Type::uint16, {frames, width, height});
    for (const auto* array : {&images_, &depths_, &labels_}) check_stored(*array);
}

/// From the file's own labels to the classes asked for.
void Nyuv2Mat::read_classes() {
    class_names_ = file_.read_cell_strings("names");
    const auto names = static_cast<int64_t>(class_names_.size());
    std::vector<int64_t> to_40;
    if (names == kCoarseClasses)
        for (int64_t c = 1; c <= kCoarseClasses; ++c) to_40.push_back(c);
    else
        to_40 =
            read_matlab_integers(path_.parent_path() / "classMapping40.mat", "mapClass", 1, kCoarseClasses);
    if (names > kMostClasses || static_cast<int64_t>(to_40.size()) != names)
        throw Error("NYUv2 MATLAB file", path_.string() + ": names",
                    fmt::format("{} class names, as classMapping40.mat maps", to_40.size()),
                    std::to_string(names));
    std::vector<int64_t> coarse(kCoarseClasses);
    if (options_.classes == kCoarseClasses)
        for (int64_t c = 0; c < kCoarseClasses; ++c) coarse[c] = c + 1;
    else
        coarse = read_matlab_integers(path_.parent_path() / "class13Mapping.mat", "classMapping13.labels13",
                                      1, options_.classes);
    if (static_cast<int64_t>(coarse.size()) != kCoarseClasses)
        throw Error("NYUv2 MATLAB file", "class13Mapping.mat: classMapping13.labels13", "40 classes",
                    std::to_string(coarse.size()));
    class_of_label_.push_back(kIgnore);
    for (const int64_t c : to_40) class_of_label_.push_back(static_cast<uint8_t>(coarse[c - 1] - 1));
}

void Nyuv2Mat::read_split() {
    const int64_t stored = images_.shape()[0];
    std::vector<int64_t> all;
    if (options_.split == "all") {
        for (int64_t i = 1; i <= stored; ++i) all.push_back(i);
    } else if (options_.split == "train" || options_.split == "test") {
        all = read_matlab_integers(path_.parent_path() / "splits.mat", options_.split + "Ndxs", 1, stored);
    } else {
        throw Error("NYUv2 MATLAB file", "split", "train, test or all",
                    "'" + options_.split + "'" + did_you_mean(options_.split, {"train", "test", "all"}));
    }
    const auto available = static_cast<int64_t>(all.size());
    if (options_.limit < 0 || options_.limit > available)
        throw Error("NYUv2 MATLAB file", path_.string() + ": " + options_.split,
                    fmt::format("a limit in 0..{}", available), std::to_string(options_.limit));
    const int64_t used = options_.limit == 0 ? available : options_.limit;
    for (int64_t i = 0; i < used; ++i) frames_.push_back(all[i * available / used] - 1);
}

int64_t Nyuv2Mat::frame(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("NYUv2 MATLAB file", options_.split, fmt::format("a frame in 0..{}", size() - 1),
                    std::to_string(index));
    return frames_[index];
}

cv::Mat Nyuv2Mat::read_plane(const Hdf5Dataset& array, int64_t frame, int type) const {
    cv::Mat transposed(size_.width, size_.height, type);
    array.read({frame, 0, 0}, {1, size_.width, size_.height}, transposed.data);
    return upright(transposed);
}

cv::Mat Nyuv2Mat::read_image(int64_t frame) const {
    cv::Mat planes(3 * size_.width, size_.height, CV_8UC1);
    images_.read({frame, 0, 0, 0}, {1, 3, size_.width, size_.height}, planes.data);
    std::vector<cv::Mat> channels;
    for (const int c : {2, 1, 0})  // stored as red, green, blue
        channels.push_back(upright(planes.rowRange(c * size_.width, (c + 1) * size_.width)));
    cv::Mat image;
    cv::merge(channels, image);
    return image;
}

cv::Mat Nyuv2Mat::map_labels(const cv::Mat& raw, const std::string& place) const {
    cv::Mat classes(raw.size(), CV_8UC1);
    for (int y = 0; y < raw.rows; ++y) {
        const auto* from = raw.ptr<uint16_t>(y);
        auto* to = classes.ptr<uint8_t>(y);
        for (int x = 0; x < raw.cols; ++x) {
            if (from[x] >= class_of_label_.size())
                throw Error("labels", place, fmt::format("0..{}", class_of_label_.size() - 1),
                            fmt::format("{} at row {}, column {}", from[x], y, x));
            to[x] = class_of_label_[from[x]];
        }
    }
    return classes;
}

Sample Nyuv2Mat::get(int64_t index) const {
    const int64_t at = frame(index);
    Sample sample;
    sample.id = id(index);
    const auto place = [&](const char* array) {
        return fmt::format("{}: {}: {}", path_.string(), sample.id, array);
    };
    sample.image = read_image(at);
    const cv::Mat classes = map_labels(read_plane(labels_, at, CV_16UC1), place("labels")),
                  depth = read_plane(depths_, at, CV_32FC1);
    check_depth(depth, place("depths"));
    const CameraIntrinsics camera = kNyuCamera.resized({640, 480}, size_);
    const cv::Mat normals = encode_normals(normals_from_depth(depth, camera, options_.normals_radius));
    sample.labels = {{classes}, {normals}, {depth}};
    return sample;
}

cv::Mat Nyuv2Mat::raw_labels(int64_t index) const {
    return read_plane(labels_, frame(index), CV_16UC1);
}

std::string Nyuv2Mat::id(int64_t index) const {
    return fmt::format("frame {}", frame(index) + 1);
}

std::string Nyuv2Mat::description() const {
    return fmt::format("NYUv2 (labelled MATLAB file), split {}: {} frames of {}x{}, normals fitted to depth",
                       options_.split, size(), size_.width, size_.height);
}

}  // namespace mtlprune
