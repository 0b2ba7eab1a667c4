// Frames named in AdaShare's taskonomy.json.
#include "base/error.h"
#include "base/text_file.h"
#include "datasets/layouts/frame_list.h"
#include "datasets/layouts/taskonomy/taskonomy_frames.h"

namespace mtlprune {
namespace {

constexpr const char* kListSubject = "Taskonomy list";

/// The columns of an entry.
const std::vector<std::string> kFields = {"image", "segmentation", "normals", "depth", "keypoints", "edges"};

class ListedFrames : public TaskonomyFrames {
  public:
    ListedFrames(const std::filesystem::path& list, const std::string& split,
                 const std::vector<std::string>& modalities)
        : folder_(list.parent_path()), modalities_(modalities.size()) {
        std::vector<size_t> columns;
        for (const std::string& name : modalities) {
            columns.push_back(taskonomy_modality(name).list_column);
            if (columns.back() >= kFields.size())
                throw Error(kListSubject, list.string(), "tasks that the list names", "'" + name + "'");
        }
        for (const auto& entry :
             parse_frame_list(read_text(list, kListSubject), {kListSubject, list.string()}, split, kFields))
            for (const size_t column : columns) paths_.push_back(entry[column]);
    }
    int64_t size() const override { return static_cast<int64_t>(paths_.size() / modalities_); }
    std::string id(int64_t index) const override { return paths_[index * modalities_]; }
    std::filesystem::path file(int64_t index, size_t modality) const override {
        return folder_ / paths_[index * modalities_ + modality];
    }

  private:
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
