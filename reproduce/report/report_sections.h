// The sections of report.html as HTML fragments; all text from the tables is escaped.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reproduce/analysis/claims.h"
#include "reproduce/results/result_tables.h"

namespace mtlprune {

std::string headline_section(const ResultTables& tables, const std::vector<Claim>& claims);
std::string run_section(const ResultTables& tables);
std::string dense_section(const ResultTables& tables);
/// Paragraphs that name the networks, dense and pruned, that do no better than a prediction that ignores the
/// image; empty when there are none.
std::string blind_warnings(const ResultTables& tables);
/// Which of them they are.
std::string blind_section(const ResultTables& tables);
std::string figures_section(const ResultTables& tables, const std::filesystem::path& results_folder);
/// Empty where every reported network is the last one of its training.
std::string selection_section(const ResultTables& tables);
std::string configurations_section(const ResultTables& tables);
std::string differences_section(const ResultTables& tables);
std::string rerun_section(const ResultTables& tables, const std::filesystem::path& results_folder);

/// run[key] for readers: a string as it is, another value as compact JSON, "not recorded" when absent.
std::string run_field(const ResultTables& tables, const std::string& key);

}  // namespace mtlprune
