// What a folder holds when it is not what was asked for.
#include <fmt/format.h>

#include <algorithm>

#include "datasets/layouts/open_dataset.h"

namespace mtlprune {
namespace {

namespace fs = std::filesystem;

bool has_mark(const fs::path& folder, const std::string& mark) {
    std::error_code ignored;
    if (!mark.starts_with("*")) return fs::exists(folder / mark, ignored);
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
         entry.increment(ignored))
        if (entry->path().filename().string().ends_with(mark.substr(1))) return true;
    return false;
}

bool looks_like(const fs::path& folder, const DatasetLayout& layout) {
    return std::any_of(layout.marks.begin(), layout.marks.end(),
                       [&](const std::string& mark) { return has_mark(folder, mark); });
}

std::vector<fs::path> folders_below(const fs::path& folder) {
    std::vector<fs::path> folders;
    std::error_code ignored;
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
         entry.increment(ignored))
        if (entry->is_directory(ignored)) folders.push_back(entry->path());
    std::sort(folders.begin(), folders.end());
    return folders;
}

}  // namespace

std::string layout_hint(const fs::path& folder, const std::string& layout) {
    std::error_code ignored;
    if (folder.empty() || !fs::is_directory(folder, ignored) || looks_like(folder, dataset_layout(layout)))
        return "";
    for (const fs::path& inner : folders_below(folder))
        if (looks_like(inner, dataset_layout(layout)))
            return fmt::format("; its files lie one folder deeper: {}={}", layout, inner.string());
    for (const auto& other : dataset_layouts())
        if (looks_like(folder, other))
            return fmt::format("; the folder looks like another layout: {}={}", other.name, folder.string());
    return "";
}

}  // namespace mtlprune
