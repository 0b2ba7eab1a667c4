// The reader's page of a reproduction run.
#pragma once

#include <filesystem>

namespace mtlprune {

/// Reads results.csv and run.json of the results folder, judges the claims and writes claims.json and
/// report.html there (claims.json first). The page is one self-contained file: it embeds figure1.png,
/// figure1_appendix.png, figure2.png and figure3.png where they exist and says so where they do not. Throws
/// Error on a missing or malformed table; neither file is then half-written.
void write_report(const std::filesystem::path& results_folder);

}  // namespace mtlprune
