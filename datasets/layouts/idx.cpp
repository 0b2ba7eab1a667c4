#include "datasets/layouts/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include <cstring>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/layouts/frame_files.h"

namespace mtlprune {
namespace {

constexpr int64_t kLargestPicture = 4096, kLetters = 26;

std::string folder_name(const std::filesystem::path& folder) {
    const auto normal = std::filesystem::absolute(folder).lexically_normal();
    return normal.has_filename() ? normal.filename().string() : normal.parent_path().filename().string();
}

using Names = std::vector<std::string>;

/// The names "<set>-<one of wanted>" in a folder, one for each set.
Names files_ending_in(const std::filesystem::path& folder, const Names& wanted) {
    Names names;
    std::set<std::string> sets;
    for (const std::string& name : names_in(folder, "idx images"))
        for (const std::string& ending : wanted)
            if (name.ends_with("-" + ending) &&
                sets.insert(name.substr(0, name.size() - ending.size())).second)
                names.push_back(name);
    return names;
}

}  // namespace

std::vector<std::string> idx_splits(const std::filesystem::path& folder) {
    bool train = false, test = false;
    for (const std::string& name : names_in(folder, "idx images")) {
        train |= name.find("train-images") != std::string::npos;
        test |=
            name.find("t10k-images") != std::string::npos || name.find("test-images") != std::string::npos;
    }
    if (train && !test) return {"train"};
    if (test && !train) return {"test"};
    return {"train", "test"};
}

IdxImages::IdxImages(IdxOptions options) : options_(std::move(options)) {
    if (options_.task.empty()) options_.task = folder_name(options_.folder);
    if (options_.classes < 2 || options_.classes > 256)
        throw Error("idx images", "classes", "2..256", std::to_string(options_.classes));
    const auto images_file = find("images"), labels_file = find("labels");
    images_name_ = images_file.filename().string();
    images_ = read_idx(images_file, 3);
    read_labels(labels_file);
    tasks_ = {{options_.task, TaskKind::classification, options_.classes}};
    if (images_.shape[1] > kLargestPicture || images_.shape[2] > kLargestPicture)
        throw Error("idx file", images_file.string(), fmt::format("sides in 1..{}", kLargestPicture),
                    fmt::format("{}x{}", images_.shape[2], images_.shape[1]));
    const int64_t count = images_.shape[0];
    if (labels_.shape[0] != count)
        throw Error("idx file", labels_file.string(),
                    fmt::format("{} labels as {} has images", count, images_name_),
                    std::to_string(labels_.shape[0]));
    if (options_.limit < 0 || options_.limit > count)
        throw Error("idx images", images_file.string(), fmt::format("a limit in 0..{}", count),
                    std::to_string(options_.limit));
    used_ = options_.limit == 0 ? count : options_.limit;
}

/// Moves labels that start at 1 and learns the number of classes unless it was given.
void IdxImages::read_labels(const std::filesystem::path& file) {
    labels_ = read_idx(file, 1);
    const auto [least, most] = std::minmax_element(labels_.values.begin(), labels_.values.end());
    // EMNIST documents that its letters are 1..26, whether all occur in a split or not.
    const bool letters = file.filename().string().starts_with("emnist-letters-") && *most <= kLetters;
    if (!options_.classes_given && letters) options_.classes = kLetters;
    if (!options_.classes_given && *most >= options_.classes)
        options_.classes = *most + (*least == 0 ? 1 : 0);
    if (*least >= 1 && (*most == options_.classes || (letters && options_.classes == kLetters)))
        for (uint8_t& label : labels_.values) --label;
    for (size_t i = 0; i < labels_.values.size(); ++i)
        if (labels_.values[i] >= options_.classes)
            throw Error("idx file", fmt::format("{}[{}]", file.string(), i),
                        fmt::format("classes 0..{}", options_.classes - 1),
                        fmt::format("{}; for {} classes --set data.classes={}", labels_.values[i],
                                    *most + (*least == 0), *most + (*least == 0)));
}

/// The file of "images" or "labels".
std::filesystem::path IdxImages::find(const std::string& content) const {
    const std::vector<std::string> splits = {"train", "test"};
    if (options_.split != "train" && options_.split != "test")
        throw Error("idx images", options_.folder.string(), "split 'train' or 'test'",
                    "'" + options_.split + "'" + did_you_mean(options_.split, splits));
    const std::string type = content == "images" ? "idx3-ubyte" : "idx1-ubyte";
    const std::string start = (options_.split == "train" ? "train-" : "t10k-") + content;
    std::vector<std::string> wanted;
    for (const char* separator : {"-", "."})
        for (const char* ending : {"", ".gz"}) {
            wanted.push_back(start + separator + type + ending);
            if (options_.split == "test") wanted.push_back("test-" + content + separator + type + ending);
        }
    std::error_code unreadable;  // reading it will say why
    for (const auto& name : wanted) {
        const auto path = options_.folder / (options_.files.empty() ? name : options_.files + "-" + name);
        if (std::filesystem::exists(std::filesystem::symlink_status(path, unreadable))) return path;
    }
    const auto named = options_.files.empty() ? files_ending_in(options_.folder, wanted) : Names{};
    if (named.size() == 1) return options_.folder / named[0];
    if (named.size() > 1)
        throw Error("idx images", options_.folder.string(), fmt::format("one set of {}", content),
                    fmt::format("{}: say which, e.g. --set data.files={}", fmt::join(named, ", "),
                                named[0].substr(0, named[0].find(options_.split + "-") - 1)));
    throw Error("idx images", options_.folder.string(), fmt::format("the file {}-{}[.gz]", start, type),
                "none");
}

int64_t IdxImages::position(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("idx images", options_.split, fmt::format("an image in 0..{}", size() - 1),
                    std::to_string(index));
    return index * images_.shape[0] / used_;
}

std::string IdxImages::id(int64_t index) const {
    return fmt::format("{}[{}]", images_name_, position(index));
}

Sample IdxImages::get(int64_t index) const {
    const int64_t at = position(index);
    const auto height = static_cast<int>(images_.shape[1]), width = static_cast<int>(images_.shape[2]);
    cv::Mat grey(height, width, CV_8UC1);
    std::memcpy(grey.data, images_.values.data() + at * height * width, grey.total());
    Sample sample;
    sample.id = id(index);
    cv::cvtColor(grey, sample.image, cv::COLOR_GRAY2BGR);
    sample.labels = {{{}, labels_.values[at]}};
    return sample;
}

std::string IdxImages::description() const {
    return fmt::format("{} (idx), split {}: {} images of {}x{}", options_.task, options_.split, size(),
                       images_.shape[2], images_.shape[1]);
}

}  // namespace mtlprune
