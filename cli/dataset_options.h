// The options of commands that work on one data set: which layout, folder and splits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "datasets/layouts/open_dataset.h"

namespace mtlprune::cli {

/// --data (LAYOUT=DIR), --split, --classes, --limit, --threads.
void add_dataset_options(po::options_description& options);

/// One request per split: those of --split, else the layout's usual ones.
std::vector<DatasetRequest> read_dataset_options(const po::variables_map& values);

/// --threads, at least 1.
int read_threads(const po::variables_map& values);

}  // namespace mtlprune::cli
