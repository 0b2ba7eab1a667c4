// Statistics of data sets as files that people and plotting programs read.
#pragma once

#include <filesystem>

#include "datasets/inspect/dataset_statistics.h"

namespace mtlprune {

/// Writes into `folder` (created), each file complete or not at all:
/// - statistics.json: description, frames, sizes, channels, per task valid fraction, mean, deviation,
///   quantiles, unit and whether the values' steps are logarithmic;
/// - classes.csv: task,class,count,fraction,frames;
/// - histograms.csv: task,low,high,count of tasks whose labels are values (outside: low = -inf or high =
/// inf);
/// - directions.csv: task,x_low,x_high,y_low,y_high,count of normals (cells that are not empty).
/// Throws Error naming a file that cannot be written.
void write_statistics(const DatasetStatistics& statistics, const std::filesystem::path& folder);

}  // namespace mtlprune
