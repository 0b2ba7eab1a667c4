// The registry of on-disk layouts: from a layout's name and a folder to a data set.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/registry.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

struct DatasetRequest {
    std::string layout;            ///< a name or alias in dataset_layouts()
    std::filesystem::path folder;  ///< or file; unused by layouts that need none
    std::string split;
    int64_t classes = 0;  ///< of the segmentation or classification task; 0 = the layout's usual number
    int64_t limit = 0;    ///< only this many samples, evenly spaced; 0 = all
    std::vector<std::string> tasks = {};  ///< only these, in this order; empty = all
    bool classes_given = false;           ///< set by open_dataset(): `classes` is not the usual number
    nlohmann::json options = nlohmann::json::object();  ///< of DatasetLayout::options
};

struct DatasetLayout {
    std::string name;
    std::vector<std::string> aliases;
    std::string description;          ///< one line
    std::vector<std::string> splits;  ///< the usual ones
    bool needs_folder;
    int64_t classes;  ///< the usual number; 0 = not a choice
    /// Gets complete options.
    std::shared_ptr<const Dataset> (*open)(const DatasetRequest& request);
    /// How the files are read: keys of an experiment's data section (--set data.KEY=VALUE).
    std::vector<Option> options = {};
    /// What lies in such a folder: any of these, relative to it. A name without a folder may be the end of a
    /// file's name after '*'.
    std::vector<std::string> marks = {};
    /// The splits that a data set has; nothing where only opening them tells.
    std::vector<std::string> (*own_splits)(const std::filesystem::path& folder) = nullptr;
};

/// Every layout there is, in the order in which they are listed to people. A program may add its own before
/// it uses any.
std::vector<DatasetLayout>& dataset_layouts();

/// By name or alias. Throws Error that names the nearest.
const DatasetLayout& dataset_layout(const std::string& name);

/// Names and aliases, for messages.
std::vector<std::string> dataset_layout_names();

/// The splits of a data set: its own where the layout can tell, else the layout's usual ones. Throws Error
/// for what cannot be read.
std::vector<std::string> dataset_splits(const DatasetRequest& request);

/// The split to test on: the layout's usual last one, or the last one that the data set has, never "train".
std::string test_split(const DatasetRequest& request);

/// What `folder` looks like when it is no data set of `layout`: "; it has the files of LAYOUT", ";
/// FOLDER/NAME has its files"; "" when it is nothing known.
std::string layout_hint(const std::filesystem::path& folder, const std::string& layout);

/// `options` completed by the layout's defaults. Throws Error for unknown names, types and words.
nlohmann::json complete_layout_options(const DatasetLayout& layout, const nlohmann::json& options);

/// The keys of --set that a layout understands, one line each, for --help.
std::string reading_keys_text(const std::string& indent);

/// Opens a data set. Throws Error for an unknown layout, a missing folder and whatever the layout's reader
/// refuses.
std::shared_ptr<const Dataset> open_dataset(const DatasetRequest& request);

/// "LAYOUT=DIR" or, for layouts that need no folder, "LAYOUT". Throws Error on anything else.
DatasetRequest parse_dataset(const std::string& text);

}  // namespace mtlprune
