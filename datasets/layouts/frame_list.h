// Lists of frames in JSON, {"SPLIT": [[path, path, ...], ...], ...}.
#pragma once

#include <string>
#include <vector>

namespace mtlprune {

/// What a list is called in messages: the kind and the file, e.g. {"NYUv2 list", "/data/nyu_v2_3task.json"}.
struct ListName {
    std::string subject;
    std::string place;
};

/// The names of the splits, train first and test last. Throws Error naming the list for malformed JSON.
std::vector<std::string> frame_list_splits(const std::string& json_text, const ListName& name);

/// The paths of every frame of a split, one per name in `fields`, relative to the list's folder. A list that
/// was written for another folder is recognised by its first frame: when its paths do not lead to files but
/// do without their first folders (the same number of them), all paths are taken without these. Throws Error
/// naming the list and the entry for malformed JSON, a split that is missing (naming the nearest) or empty,
/// an entry without one path per field and a path that is empty, absolute or leaves the list's folder.
std::vector<std::vector<std::string>> parse_frame_list(const std::string& json_text, const ListName& name,
                                                       const std::string& split,
                                                       const std::vector<std::string>& fields);

}  // namespace mtlprune
