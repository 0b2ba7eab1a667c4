#include "datasets/layouts/celeba.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/codecs/image_file.h"
#include "datasets/layouts/word_lines.h"

namespace mtlprune {
namespace {

constexpr const char* kSplits[] = {"train", "valid", "test"};  // as numbered in the partition file

void check_name(std::string_view name, const std::string& where) {
    if (name.find('/') != std::string_view::npos || name == ".." || name == ".")
        throw Error("CelebA list", where, "a plain file name", "'" + std::string(name.substr(0, 80)) + "'");
}

/// `folder`/name.txt, or where the published archive or Kaggle's has it.
std::filesystem::path list_file(const std::filesystem::path& folder, const char* published,
                                const std::string& name) {
    std::error_code ignored;
    for (const auto& path :
         {folder / (name + ".txt"), folder / published / (name + ".txt"), folder / (name + ".csv")})
        if (std::filesystem::exists(path, ignored)) return path;
    return folder / (name + ".txt");
}

/// Where the images are.
std::filesystem::path picture_folder(const std::filesystem::path& folder) {
    constexpr const char* kName = "img_align_celeba";
    std::error_code ignored;
    for (const auto& path : {folder / kName / kName, folder / kName, folder / "Img" / kName})
        if (std::filesystem::is_directory(path, ignored)) return path;
    for (const auto& archive : {folder / "img_align_celeba.zip", folder / "Img" / "img_align_celeba.zip"})
        if (std::filesystem::exists(archive, ignored))
            throw Error("CelebA", folder.string(), "the folder img_align_celeba or Img/img_align_celeba",
                        "only " + archive.string() + ": unpack it there");
    throw Error("CelebA", folder.string(), "the folder img_align_celeba or Img/img_align_celeba", "neither");
}

int split_number(const std::string& split, const std::string& place) {
    const std::vector<std::string> names(std::begin(kSplits), std::end(kSplits));
    const auto found = std::find(names.begin(), names.end(), split);
    if (found == names.end())
        throw Error("CelebA", place, "split train, valid or test",
                    "'" + split + "'" + did_you_mean(split, names));
    return static_cast<int>(found - names.begin());
}

}  // namespace

CelebA::CelebA(CelebAOptions options) : options_(std::move(options)) {
    const int split = split_number(options_.split, options_.folder.string());
    auto all = read_attributes(list_file(options_.folder, "Anno", "list_attr_celeba"));
    const auto partition_file = list_file(options_.folder, "Eval", "list_eval_partition");
    const auto partition = read_partition(partition_file, all);
    std::vector<size_t> members;
    for (size_t i = 0; i < all.size(); ++i)
        if (partition[i] == split) members.push_back(i);
    const auto available = static_cast<int64_t>(members.size());
    if (available == 0)
        throw Error("CelebA", partition_file.string(), "images of split " + options_.split, "none");
    if (options_.limit < 0 || options_.limit > available)
        throw Error("CelebA", partition_file.string() + ": " + options_.split,
                    fmt::format("a limit in 0..{}", available), std::to_string(options_.limit));
    const int64_t used = options_.limit == 0 ? available : options_.limit;
    for (int64_t i = 0; i < used; ++i) images_.push_back(std::move(all[members[i * available / used]]));
    pictures_ = picture_folder(options_.folder);
}

/// Line 1: the number of images; line 2: the attributes; then a file name and -1 or 1 per attribute. CSV: no
/// line 1, and the column of the file names has a name too.
std::vector<CelebA::Image> CelebA::read_attributes(const std::filesystem::path& list) {
    WordLines lines(list);
    const bool is_csv = list.extension() == ".csv";
    int declared = -1;
    if (!is_csv) {
        if (!lines.next() || lines.words().size() != 1)
            throw Error("CelebA list", list.string() + ": line 1", "the number of images",
                        fmt::format("{} words", lines.words().size()));
        declared = lines.number(0);
    }
    if (!lines.next())
        throw Error("CelebA list", list.string() + (is_csv ? ": line 1" : ": line 2"), "attribute names",
                    "nothing");
    const std::vector<std::string> names(lines.words().begin() + (is_csv ? 1 : 0), lines.words().end());
    choose_tasks(names, lines.where());
    std::vector<Image> images;
    while (lines.next()) {
        if (lines.words().size() != 1 + names.size())
            throw Error("CelebA list", lines.where(), fmt::format("a file name and {} values", names.size()),
                        fmt::format("{} words", lines.words().size()));
        check_name(lines.words()[0], lines.where());
        Image& image = images.emplace_back();
        image.name = lines.words()[0];
        for (size_t a = 0; a < names.size(); ++a) {
            const int value = lines.number(1 + a);
            if (value != -1 && value != 1)
                throw Error("CelebA list", lines.where() + ": " + names[a], "-1 or 1", std::to_string(value));
            image.present.push_back(value == 1);
        }
    }
    if (declared >= 0 && static_cast<int64_t>(images.size()) != declared)
        throw Error("CelebA list", list.string(), fmt::format("{} images as line 1 says", declared),
                    std::to_string(images.size()));
    return images;
}

void CelebA::choose_tasks(const std::vector<std::string>& names, const std::string& place) {
    const auto& wanted = options_.attributes.empty() ? names : options_.attributes;
    for (const auto& name : wanted) {
        const auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end())
            throw Error("CelebA", place, "attribute '" + name + "'",
                        fmt::format("only {} others{}", names.size(), did_you_mean(name, names)));
        for (const auto& task : tasks_)
            if (task.name == name) throw Error("CelebA", place, "different attributes", name + " twice");
        tasks_.push_back({name, TaskKind::classification, 2});
        columns_.push_back(static_cast<size_t>(found - names.begin()));
    }
}

/// The split of every image, 0..2. Each line: a file name and the split's number.
std::vector<int> CelebA::read_partition(const std::filesystem::path& list,
                                        const std::vector<Image>& all) const {
    std::unordered_map<std::string_view, size_t> positions;
    for (size_t i = 0; i < all.size(); ++i)
        if (!positions.emplace(all[i].name, i).second)
            throw Error("CelebA list", list_file(options_.folder, "Anno", "list_attr_celeba").string(),
                        "every image once", all[i].name + " twice");
    std::vector<int> splits(all.size(), -1);
    WordLines lines(list);
    while (lines.next()) {
        if (list.extension() == ".csv" && lines.words()[0] == "image_id") continue;
        if (lines.words().size() != 2)
            throw Error("CelebA list", lines.where(), "a file name and a split",
                        fmt::format("{} words", lines.words().size()));
        const auto found = positions.find(lines.words()[0]);
        if (found == positions.end())
            throw Error("CelebA list", lines.where(), "an image of list_attr_celeba.txt",
                        "'" + std::string(lines.words()[0].substr(0, 80)) + "'");
        const int split = lines.number(1);
        if (split < 0 || split > 2)
            throw Error("CelebA list", lines.where(), "split 0, 1 or 2", std::to_string(split));
        if (splits[found->second] >= 0)
            throw Error("CelebA list", lines.where(), "every image once",
                        std::string(lines.words()[0]) + " twice");
        splits[found->second] = split;
    }
    const auto missing = std::find(splits.begin(), splits.end(), -1);
    if (missing != splits.end())
        throw Error("CelebA list", list.string(),
                    "the split of " + all[static_cast<size_t>(missing - splits.begin())].name, "none");
    return splits;
}

const CelebA::Image& CelebA::image(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("CelebA", options_.split, fmt::format("an image in 0..{}", size() - 1),
                    std::to_string(index));
    return images_[index];
}

std::string CelebA::id(int64_t index) const {
    return image(index).name;
}

Sample CelebA::get(int64_t index) const {
    const Image& chosen = image(index);
    Sample sample;
    sample.id = chosen.name;
    sample.image = read_colour_image(pictures_ / chosen.name);
    for (const size_t column : columns_) sample.labels.push_back({{}, chosen.present[column]});
    return sample;
}

std::string CelebA::description() const {
    return fmt::format("CelebA, split {}: {} images, {} attributes", options_.split, size(), tasks_.size());
}

}  // namespace mtlprune
