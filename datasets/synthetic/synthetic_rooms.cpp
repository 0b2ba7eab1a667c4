#include "datasets/synthetic/synthetic_rooms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "base/random.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/pipeline/parallel_for.h"
#include "datasets/synthetic/layout.h"
#include "datasets/synthetic/renderer.h"

namespace mtlprune {
namespace {

constexpr uint64_t kTag =
    0x726f6f6d73;  // keeps the scenes' numbers apart from those of a run with the same seed

void check(const SyntheticRoomsOptions& options) {
    const auto require = [](bool good, const char* key, const char* expected, const std::string& found) {
        if (!good) throw Error("synthetic rooms", key, expected, found);
    };
    require(options.count >= 1, "count", "1 or more", std::to_string(options.count));
    require(options.height >= 8 && options.height <= 4096, "height", "8..4096",
            std::to_string(options.height));
    require(options.width >= 8 && options.width <= 4096, "width", "8..4096", std::to_string(options.width));
    require(options.split == "train" || options.split == "test", "split", "'train' or 'test'",
            "'" + options.split + "'");
}

/// Brightness 0..1 of the noise-free image.
cv::Mat brightness(const cv::Mat& image) {
    cv::Mat grey, scaled;
    cv::cvtColor(image, grey, cv::COLOR_BGR2GRAY);
    grey.convertTo(scaled, CV_32F, 1.0 / 255.0);
    return scaled;
}

/// Smallest eigenvalue of the gradient's 3x3 covariance (Shi and Tomasi 1994) as a gradient strength, 1 =
/// strongest.
cv::Mat corner_strength(const cv::Mat& grey) {
    cv::Mat response;
    cv::cornerMinEigenVal(grey, response, 3, 3);
    response = cv::max(response, 0.0f);
    cv::sqrt(response, response);
    return cv::min(response * 8.0f, 1.0f);
}

/// Magnitude of the Sobel gradient; a step of a third of the brightness range or more gives 1.
cv::Mat edge_strength(const cv::Mat& grey) {
    cv::Mat dx, dy, magnitude;
    cv::Sobel(grey, dx, CV_32F, 1, 0, 3, 0.75);
    cv::Sobel(grey, dy, CV_32F, 0, 1, 3, 0.75);
    cv::magnitude(dx, dy, magnitude);
    return cv::min(magnitude, 1.0f);
}

}  // namespace

SyntheticRooms::SyntheticRooms(SyntheticRoomsOptions options) : options_(std::move(options)) {
    check(options_);
    tasks_ = nyuv2_tasks(static_cast<int64_t>(nyu13_class_names().size()));
    if (options_.dense_labels) {
        tasks_.push_back({"keypoints", TaskKind::keypoints, 1});
        tasks_.push_back({"edges", TaskKind::edges, 1});
    }
}

Sample SyntheticRooms::get(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("synthetic rooms", options_.split, fmt::format("an index in 0..{}", size() - 1),
                    std::to_string(index));
    const uint64_t split = options_.split == "train" ? 0 : 1;
    Random random(options_.seed, Stream{kTag}, split, static_cast<uint64_t>(index));
    const Random noise(random.bits());
    const rooms::Rendering frame =
        rooms::render(rooms::make_room(Random(random.bits())), static_cast<int>(options_.width),
                      static_cast<int>(options_.height), noise);
    Sample sample;
    sample.id = fmt::format("{}/{:04}", options_.split, index);
    sample.image = frame.image;
    sample.labels = {{frame.labels}, {encode_normals(frame.normals)}, {frame.depth}};
    if (options_.dense_labels) {
        const cv::Mat grey = brightness(frame.clean);
        sample.labels.push_back({corner_strength(grey)});
        sample.labels.push_back({edge_strength(grey)});
    }
    return sample;
}

std::string SyntheticRooms::description() const {
    return fmt::format("synthetic rooms, {} split, {} frames of {}x{}, seed {}", options_.split,
                       options_.count, options_.width, options_.height, options_.seed);
}

const std::vector<std::string>& nyu13_class_names() {
    static const std::vector<std::string> names = {"bed",       "books",   "ceiling", "chair", "floor",
                                                   "furniture", "objects", "picture", "sofa",  "table",
                                                   "tv",        "wall",    "window"};
    return names;
}

std::vector<Sample> render_all(const SyntheticRooms& rooms, int threads) {
    std::vector<Sample> samples(rooms.size());
    parallel_for(rooms.size(), threads, [&](int64_t i) { samples[i] = rooms.get(i); });
    return samples;
}

}  // namespace mtlprune
