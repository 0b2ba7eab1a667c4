// The registry of on-disk layouts: from a layout's name and a folder to a data set.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/contract/sample.h"

namespace mtlprune {

struct DatasetRequest {
    std::string layout;            ///< a name or alias in dataset_layouts()
    std::filesystem::path folder;  ///< or file; unused by layouts that need none
    std::string split;
    int64_t classes = 0;  ///< of the segmentation or classification task; 0 = the layout's usual number
    int64_t limit = 0;    ///< only this many samples, evenly spaced; 0 = all
};

struct DatasetLayout {
    std::string name;
    std::vector<std::string> aliases;
    std::string description;          ///< one line
    std::vector<std::string> splits;  ///< the usual ones
    bool needs_folder;
    int64_t classes;  ///< the usual number; 0 = not a choice
    std::shared_ptr<const Dataset> (*open)(const DatasetRequest& request);
};

/// Every layout there is, in the order in which they are listed to people. A program may add its own before
/// it uses any.
std::vector<DatasetLayout>& dataset_layouts();

/// By name or alias. Throws Error that names the nearest.
const DatasetLayout& dataset_layout(const std::string& name);

/// Names and aliases, for messages.
std::vector<std::string> dataset_layout_names();

/// Opens a data set. Throws Error for an unknown layout, a missing folder and whatever the layout's reader
/// refuses.
std::shared_ptr<const Dataset> open_dataset(const DatasetRequest& request);

/// "LAYOUT=DIR" or, for layouts that need no folder, "LAYOUT". Throws Error on anything else.
DatasetRequest parse_dataset(const std::string& text);

}  // namespace mtlprune
