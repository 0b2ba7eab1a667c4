#include "datasets/layouts/mtan_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "datasets/codecs/npy.h"
#include "datasets/contract/label_checks.h"
#include "datasets/layouts/frame_files.h"

namespace mtlprune {
namespace {

constexpr const char* kEnding = ".npy";

std::string folder_of(const std::string& split, const std::string& subject,
                      const std::filesystem::path& folder) {
    if (split == "train" || split == "val") return split;
    if (split == "test") return "val";
    throw Error(subject, folder.string(), "split train, val or test (another name of val)",
                "'" + split + "'");
}

/// The K of a name K.npy.
int64_t number_of(const std::string& name, const std::string& subject, const std::filesystem::path& folder) {
    const std::string stem = name.substr(0, name.size() - std::string(kEnding).size());
    int64_t number = -1;
    const auto [end, code] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
    if (code != std::errc() || end != stem.data() + stem.size() || number < 0 ||
        std::to_string(number) != stem)
        throw Error(subject, (folder / name).string(), "a name like 0.npy", "'" + name + "'");
    return number;
}

/// Checks that the frames are numbered 0, 1, 2, ... and returns how many there are.
int64_t count_frames(const std::filesystem::path& folder, const std::string& subject) {
    std::vector<int64_t> numbers;
    for (const std::string& name : names_in(folder, subject))
        if (std::filesystem::path(name).extension() == kEnding)
            numbers.push_back(number_of(name, subject, folder));
    std::sort(numbers.begin(), numbers.end());
    for (size_t i = 0; i < numbers.size(); ++i)
        if (numbers[i] != static_cast<int64_t>(i))
            throw Error(subject, folder.string(),
                        fmt::format("file {}.npy (0..{} without gaps)", i, numbers.back()),
                        fmt::format("{} files without it", numbers.size()));
    if (numbers.empty()) throw Error(subject, folder.string(), "files 0.npy, 1.npy, ...", "none");
    return static_cast<int64_t>(numbers.size());
}

void require_shape(const cv::Mat& pixels, int channels, const char* shape,
                   const std::filesystem::path& file) {
    if (pixels.channels() != channels)
        throw Error("NumPy array", file.string(), fmt::format("shape {}", shape),
                    fmt::format("({}, {}, {})", pixels.rows, pixels.cols, pixels.channels()));
}

void require_floats(const cv::Mat& pixels, const std::filesystem::path& file) {
    if (pixels.depth() != CV_32F && pixels.depth() != CV_64F)
        throw Error("NumPy array", file.string(), "float values", cv::typeToString(pixels.depth()));
}

}  // namespace

MtanFolder::MtanFolder(const std::filesystem::path& folder, const std::string& split, int64_t limit,
                       std::string subject)
    : split_(folder_of(split, subject, folder)), subject_(std::move(subject)) {
    place_ = folder / split_;
    const int64_t available = count_frames(place_ / "image", subject_);
    numbers_ = evenly_spaced(available, limit, subject_, place_.string());
}

std::filesystem::path MtanFolder::file(int64_t index, const std::string& modality) const {
    if (index < 0 || index >= size())
        throw Error(subject_, split_, fmt::format("a frame in 0..{}", size() - 1), std::to_string(index));
    return place_ / modality / fmt::format("{}{}", numbers_[index], kEnding);
}

std::string MtanFolder::id(int64_t index) const {
    return fmt::format("{}/{}", split_, file(index, "image").stem().string());
}

bool MtanFolder::has(const std::string& modality) const {
    std::error_code ignored;
    return std::filesystem::is_directory(place_ / modality, ignored);
}

cv::Mat MtanFolder::read_image(int64_t index) const {
    const auto path = file(index, "image");
    cv::Mat pixels = read_npy_pixels(path), image;
    require_shape(pixels, 3, "(H, W, 3)", path);
    if (pixels.depth() != CV_8U) {
        require_floats(pixels, path);
        pixels.convertTo(pixels, CV_32F);
        check_range(pixels, 0.0f, 1.0f, path.string());
        pixels.convertTo(pixels, CV_8U, 255.0);
    }
    cv::cvtColor(pixels, image, cv::COLOR_RGB2BGR);
    return image;
}

cv::Mat MtanFolder::read_classes(int64_t index, const std::string& modality, int64_t classes) const {
    const auto path = file(index, modality);
    cv::Mat values = read_npy_pixels(path), labels;
    require_shape(values, 1, "(H, W)", path);
    const bool is_unsigned = values.depth() == CV_8U || values.depth() == CV_16U;
    const float ignore = is_unsigned ? 255.0f : -1.0f;
    values.convertTo(values, CV_32F);
    check_class_values(values, classes, ignore, path.string());
    const cv::Mat ignored = values == ignore;
    values.convertTo(labels, CV_8U);
    labels.setTo(255, ignored);
    return labels;
}

cv::Mat MtanFolder::read_depth(int64_t index) const {
    const auto path = file(index, "depth");
    cv::Mat depth = read_npy(path);
    check_depth(depth, path.string());
    return depth;
}

cv::Mat MtanFolder::read_vectors(int64_t index, const std::string& modality) const {
    const auto path = file(index, modality);
    cv::Mat vectors = read_npy_pixels(path);
    require_shape(vectors, 3, "(H, W, 3)", path);
    require_floats(vectors, path);
    vectors.convertTo(vectors, CV_32F);
    return vectors;
}

}  // namespace mtlprune
