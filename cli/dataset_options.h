// The options of commands that work on one data set: which layout, folder and splits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "datasets/layouts/open_dataset.h"

namespace mtlprune::cli {

/// --data (LAYOUT=DIR), --split, --classes, --limit, --threads, --set.
void add_dataset_options(po::options_description& options);

/// --set data.KEY=VALUE.
void add_reading_option(po::options_description& options);

/// For the end of a usage text: the keys of --set.
std::string reading_keys_usage();

/// Puts the keys data.classes, data.tasks and those of the layout into `request`; keys of other sections are
/// left to others with `among_others`. Throws Error naming the nearest for unknown keys and for wrong values.
void read_settings(const po::variables_map& values, DatasetRequest& request, bool among_others = false);

/// What these options say, without a split. Throws Error for wrong options; reads nothing of the data set.
DatasetRequest read_dataset_options(const po::variables_map& values);

/// One request per split: those of --split, else the data set's own, which are read from it.
std::vector<DatasetRequest> requests_of_splits(DatasetRequest request, const po::variables_map& values);

/// --threads, at least 1.
int read_threads(const po::variables_map& values);

}  // namespace mtlprune::cli
