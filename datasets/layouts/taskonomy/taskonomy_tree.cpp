// Frames found by listing Taskonomy's folders.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "datasets/layouts/frame_files.h"
#include "datasets/layouts/taskonomy/taskonomy_frames.h"

namespace mtlprune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTreeSubject = "Taskonomy";

constexpr const char* kAllowIncomplete = "--set data.allow_incomplete=true";

/// The names of all tasks but the one that needs `modality`, as --set takes them.
std::string other_tasks(const std::vector<std::string>& modalities, const std::string& modality) {
    std::string list;
    for (const auto& [file, task] :
         {std::pair("segment_semantic", "segmentation"), std::pair("normal", "normals"),
          std::pair("depth_zbuffer", "depth"), std::pair("depth_euclidean", "depth"),
          std::pair("keypoints2d", "keypoints"), std::pair("edge_texture", "edges")})
        if (file != modality && std::find(modalities.begin(), modalities.end(), file) != modalities.end())
            list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", task);
    return list;
}

struct Viewpoint {
    int32_t point;
    int32_t view;
    auto operator<=>(const Viewpoint&) const = default;
};

/// Takes `literal` and the number after it off the front of `text`.
std::optional<int32_t> take_number(std::string_view& text, std::string_view literal) {
    if (!text.starts_with(literal)) return std::nullopt;
    text.remove_prefix(literal.size());
    int32_t number = -1;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return number;
}

std::string file_name(const Viewpoint& view, const std::string& domain) {
    return fmt::format("point_{}_view_{}_domain_{}.png", view.point, view.view, domain);
}

/// The view that `name` belongs to when it is exactly a file name of `domain`.
std::optional<Viewpoint> parse_name(std::string_view name, const std::string& domain) {
    std::string_view rest = name;
    const auto point = take_number(rest, "point_"), view = take_number(rest, "_view_");
    if (!point || !view || name != file_name({*point, *view}, domain)) return std::nullopt;
    return Viewpoint{*point, *view};
}

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

/// A modality of one building: the folder and the domain in its files' names.
struct ModalityFolder {
    fs::path folder;
    std::string domain;
    fs::path file(const Viewpoint& view) const { return folder / file_name(view, domain); }
};

std::vector<fs::path> candidates(const fs::path& root, const std::string& building,
                                 const TaskonomyModality& modality) {
    std::vector<fs::path> paths;
    for (const std::string& folder : modality.folders)
        for (const fs::path& path : {root / building / folder, root / (building + "_" + folder),
                                     root / folder / building, root / folder / "taskonomy" / building})
            paths.push_back(path);
    return paths;
}

struct Building {
    std::string name;
    std::vector<ModalityFolder> places;  // one per modality
    std::vector<Viewpoint> views;
};

fs::path find_folder(const fs::path& root, const std::string& building, const TaskonomyModality& modality) {
    for (const fs::path& path : candidates(root, building, modality)) {
        std::error_code code;
        const bool found = fs::is_directory(path, code);
        if (found) return path;
        if (code && code != std::errc::no_such_file_or_directory && code != std::errc::not_a_directory)
            throw Error(fmt::format("{}: {}: cannot read: {}", kTreeSubject, path.string(), code.message()));
    }
    return {};
}

ModalityFolder find_place(fs::path folder, const TaskonomyModality& modality, const Viewpoint& first) {
    for (const std::string& domain : modality.domains)
        if (ModalityFolder place{folder, domain}; is_there(place.file(first))) return place;
    return {std::move(folder), modality.domains.front()};
}

std::vector<Viewpoint> list_views(const fs::path& folder, const std::string& domain) {
    std::vector<Viewpoint> views;
    for (const std::string& name : names_in(folder, kTreeSubject))
        if (const auto view = parse_name(name, domain)) views.push_back(*view);
    std::sort(views.begin(), views.end());
    return views;
}

class TreeFrames : public TaskonomyFrames {
  public:
    TreeFrames(const fs::path& root, const std::vector<std::string>& names,
               const std::vector<std::string>& modalities, bool allow_incomplete) {
        for (const std::string& name : names) {
            auto building = open_building(root, name, modalities, allow_incomplete);
            if (!building) {
                ++omitted_buildings_;
                continue;
            }
            if (allow_incomplete) omit_incomplete(*building);
            for (size_t i = 0; i < building->views.size(); ++i)
                frames_.push_back({static_cast<uint32_t>(buildings_.size()), building->views[i]});
            building->views = {};
            buildings_.push_back(std::move(*building));
        }
        if (frames_.empty())
            throw Error(
                kTreeSubject, root.string(), "files point_P_view_V_domain_rgb.png",
                fmt::format("none that is complete in {} buildings; a modality that is in none of them is "
                            "left out by --set data.tasks=[...]",
                            names.size()));
    }
    int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
    std::string id(int64_t index) const override {
        const Frame& frame = frames_[index];
        return fmt::format("{}/point_{}_view_{}", buildings_[frame.building].name, frame.view.point,
                           frame.view.view);
    }
    fs::path file(int64_t index, size_t modality) const override {
        const Frame& frame = frames_[index];
        return buildings_[frame.building].places[modality].file(frame.view);
    }
    std::string omissions() const override {
        if (omitted_buildings_ + omitted_frames_ == 0) return "";
        return fmt::format(", {} buildings and {} frames left out as incomplete", omitted_buildings_,
                           omitted_frames_);
    }

  private:
    struct Frame {
        uint32_t building;
        Viewpoint view;
    };

    static std::optional<Building> open_building(const fs::path& root, const std::string& name,
                                                 const std::vector<std::string>& modalities,
                                                 bool allow_incomplete) {
        Building building{name, {}, {}};
        for (const std::string& wanted : modalities) {
            const TaskonomyModality& modality = taskonomy_modality(wanted);
            const fs::path folder = find_folder(root, name, modality);
            if (folder.empty() && allow_incomplete) return std::nullopt;
            if (folder.empty())
                throw Error(
                    kTreeSubject, root.string(), fmt::format("a folder {} of building {}", wanted, name),
                    wanted == "rgb" ? std::string("none; to leave out such buildings: ") + kAllowIncomplete
                                    : fmt::format("none; to leave out such buildings: {}; to leave out the "
                                                  "task: --set data.tasks=[{}]",
                                                  kAllowIncomplete, other_tasks(modalities, wanted)));
            if (building.places.empty()) building.views = list_views(folder, modality.domains.front());
            if (building.views.empty())
                throw Error(kTreeSubject, folder.string(), "files point_P_view_V_domain_rgb.png", "none");
            building.places.push_back(find_place(folder, modality, building.views.front()));
        }
        return building;
    }

    void omit_incomplete(Building& building) {
        omitted_frames_ += std::erase_if(building.views, [&](const Viewpoint& view) {
            return !std::all_of(building.places.begin(), building.places.end(),
                                [&](const ModalityFolder& place) { return is_there(place.file(view)); });
        });
    }

    std::vector<Building> buildings_;
    std::vector<Frame> frames_;
    size_t omitted_buildings_ = 0, omitted_frames_ = 0;
};

}  // namespace

std::unique_ptr<TaskonomyFrames> open_taskonomy_tree(const fs::path& folder,
                                                     const std::vector<std::string>& buildings,
                                                     const std::vector<std::string>& modalities,
                                                     bool allow_incomplete) {
    return std::make_unique<TreeFrames>(folder, buildings, modalities, allow_incomplete);
}

}  // namespace mtlprune
