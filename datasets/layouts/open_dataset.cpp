#include "datasets/layouts/open_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/pipeline/task_subset.h"

namespace mtlprune {
namespace {

std::vector<std::string> task_names(const Dataset& dataset) {
    std::vector<std::string> names;
    for (const auto& task : dataset.tasks()) names.push_back(task.name);
    return names;
}

/// What `open` gives; what it throws says also what the folder looks like.
template <typename Open>
auto with_hint(const DatasetRequest& request, const DatasetLayout& layout, const Open& open) {
    try {
        return open();
    } catch (const Error& error) {
        const auto hint = layout_hint(request.folder, layout.name);
        if (hint.empty()) throw;
        throw error.place().empty() ? Error(error.what() + hint)
                                    : Error("data set", error.place(), error.problem() + hint);
    }
}

}  // namespace

std::vector<std::string> dataset_layout_names() {
    std::vector<std::string> names;
    for (const auto& layout : dataset_layouts()) {
        names.insert(names.end(), layout.aliases.begin(), layout.aliases.end());
        names.push_back(layout.name);
    }
    return names;
}

const DatasetLayout& dataset_layout(const std::string& name) {
    for (const auto& layout : dataset_layouts()) {
        const auto& aliases = layout.aliases;
        if (layout.name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end())
            return layout;
    }
    throw Error("data set", "layout", "one that mtlprune list names",
                "'" + name + "'" + did_you_mean(name, dataset_layout_names()));
}

std::shared_ptr<const Dataset> open_dataset(const DatasetRequest& request) {
    const auto& layout = dataset_layout(request.layout);
    if (layout.needs_folder && request.folder.empty())
        throw Error("data set", layout.name, "a folder (" + layout.name + "=DIR)", "none");
    DatasetRequest resolved = request;
    resolved.classes_given = request.classes != 0;
    if (resolved.classes == 0) resolved.classes = layout.classes;
    resolved.options = complete_layout_options(layout, request.options);
    const auto dataset = with_hint(request, layout, [&] { return layout.open(resolved); });
    const auto names = task_names(*dataset);
    if (request.tasks.empty() || names == request.tasks) return dataset;
    return std::make_shared<TaskSubset>(dataset, request.tasks);
}

std::vector<std::string> dataset_splits(const DatasetRequest& request) {
    const auto& layout = dataset_layout(request.layout);
    if (layout.own_splits == nullptr) return layout.splits;
    return with_hint(request, layout, [&] { return layout.own_splits(request.folder); });
}

std::string test_split(const DatasetRequest& request) {
    const std::string usual = dataset_layout(request.layout).splits.back();
    const auto own = dataset_splits(request);
    if (std::find(own.begin(), own.end(), usual) != own.end()) return usual;
    const auto last =
        std::find_if(own.rbegin(), own.rend(), [](const auto& split) { return split != "train"; });
    return last == own.rend() ? usual : *last;
}

nlohmann::json complete_layout_options(const DatasetLayout& layout, const nlohmann::json& options) {
    Description entry;
    entry.key = layout.name;
    entry.options = layout.options;
    return complete_options("data set", entry, options, false);
}

std::string reading_keys_text(const std::string& indent) {
    std::string text =
        indent + "data.classes, data.tasks: the number of classes; which tasks, e.g. [\"depth\"]\n";
    for (const auto& layout : dataset_layouts()) {
        Description entry;
        entry.options = layout.options;
        if (!entry.options.empty())
            text += fmt::format("{}{}:\n{}", indent, layout.name, options_text(entry, indent + "  data."));
    }
    return text;
}

DatasetRequest parse_dataset(const std::string& text) {
    const size_t equals = text.find('=');
    DatasetRequest request;
    request.layout = text.substr(0, equals);
    const auto& layout = dataset_layout(request.layout);
    if (equals != std::string::npos) request.folder = text.substr(equals + 1);
    if (layout.needs_folder == request.folder.empty())
        throw Error("data set", "'" + text + "'",
                    layout.needs_folder ? request.layout + "=DIR" : request.layout + " without a folder",
                    request.folder.empty() ? "no folder" : "'" + request.folder.string() + "'");
    return request;
}

}  // namespace mtlprune
