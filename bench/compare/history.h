// A history of benchmark results that Apache Otava reads.
#pragma once

#include <filesystem>
#include <string>

#include "bench/compare/comparison.h"

namespace mtlprune::bench {

/// Appends one row: column "time" (`time` in ISO 8601, e.g. 2026-11-30T12:00:00+00:00), column "commit" (an
/// attribute), one column per benchmark with the new side's median (times in ns). The first row also writes
/// the header; cells with a comma or a quote are quoted, as Otava's CSV importer reads them. Throws Error
/// when the file has other columns, which must then start a new file: Otava reads no row with an empty cell.
void append_history(const std::filesystem::path& path, const Comparison& comparison, const std::string& time,
                    const std::string& commit);

}  // namespace mtlprune::bench
