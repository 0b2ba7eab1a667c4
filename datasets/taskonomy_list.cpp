// Frames named in AdaShare's taskonomy.json.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "datasets/atomic_file.h"
#include "datasets/config.h"
#include "datasets/error.h"
#include "datasets/frame_files.h"
#include "datasets/taskonomy_frames.h"

namespace mtlprune {
namespace {

constexpr const char* kSubject = "Taskonomy list";
constexpr size_t kColumns = 6;

const nlohmann::json& find_split(const nlohmann::json& list, const std::string& split,
                                 const std::string& place) {
    if (!list.is_object()) throw Error(kSubject, place, "an object of splits", list.dump().substr(0, 40));
    std::vector<std::string> names;
    for (const auto& [name, value] : list.items()) names.push_back(name);
    const auto found = list.find(split);
    if (found == list.end())
        throw Error(kSubject, place, "split '" + split + "'",
                    fmt::format("only {}{}", nlohmann::json(names).dump(), did_you_mean(split, names)));
    if (!found->is_array() || found->empty())
        throw Error(kSubject, place + ": " + split, "a list of frames",
                    found->is_array() ? "an empty list" : found->dump().substr(0, 40));
    return *found;
}

std::string checked_path(const nlohmann::json& entry, size_t column, const std::string& place) {
    if (!entry[column].is_string())
        throw Error(kSubject, place, "a path", entry[column].dump().substr(0, 40));
    auto path = entry[column].get<std::string>();
    check_inside(path, kSubject, place);
    return path;
}

class ListedFrames : public TaskonomyFrames {
  public:
    ListedFrames(const std::filesystem::path& list, const std::string& split,
                 const std::vector<std::string>& modalities)
        : folder_(list.parent_path()), modalities_(modalities.size()) {
        const std::string place = list.string();
        for (const std::string& name : modalities)
            if (taskonomy_modality(name).list_column >= kColumns)
                throw Error(kSubject, place, "tasks that the list names", "'" + name + "'");
        const auto json = parse_json(read_file(list, kSubject), place);
        int64_t number = 0;
        for (const auto& entry : find_split(json, split, place))
            add(entry, modalities, fmt::format("{}: {}[{}]", place, split, number++));
    }
    int64_t size() const override { return static_cast<int64_t>(paths_.size() / modalities_); }
    std::string id(int64_t index) const override { return paths_[index * modalities_]; }
    std::filesystem::path file(int64_t index, size_t modality) const override {
        return folder_ / paths_[index * modalities_ + modality];
    }

  private:
    void add(const nlohmann::json& entry, const std::vector<std::string>& modalities,
             const std::string& place) {
        if (!entry.is_array() || entry.size() != kColumns)
            throw Error(kSubject, place, "6 paths [image, segmentation, normals, depth, keypoints, edges]",
                        entry.is_array() ? std::to_string(entry.size()) : entry.dump().substr(0, 40));
        for (const std::string& name : modalities)
            paths_.push_back(checked_path(entry, taskonomy_modality(name).list_column, place));
    }

    std::filesystem::path folder_;
    size_t modalities_;
    std::vector<std::string> paths_;  // frame after frame
};

}  // namespace

std::unique_ptr<TaskonomyFrames> open_taskonomy_list(const std::filesystem::path& list,
                                                     const std::string& split,
                                                     const std::vector<std::string>& modalities) {
    return std::make_unique<ListedFrames>(list, split, modalities);
}

}  // namespace mtlprune
