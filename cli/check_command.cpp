#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/progress.h"
#include "cli/commands.h"
#include "cli/dataset_options.h"
#include "datasets/conventions/contradictions.h"
#include "datasets/inspect/dataset_check.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kCheckUsage =
    "usage: mtlprune data check LAYOUT=DIR [OPTIONS]\n\nDecodes every frame of a data set and prints every "
    "problem, and what the frames say against how they are\nread (axes of normals, units of depth, numbers "
    "of "
    "classes: docs/datasets/conventions.md). Exit code 1 when there is one.";

struct Row {
    std::string split;
    FrameProblem problem;
};

/// A split that cannot be opened is one problem; `frames` counts the frames of the others.
std::vector<Row> check_split(const DatasetRequest& request, int threads, int64_t& frames) {
    std::vector<Row> rows;
    std::shared_ptr<const Dataset> dataset;
    try {
        dataset = open_dataset(request);
    } catch (const Error& error) {
        return {{request.split, {-1, "-", error.place(), error.problem()}}};
    }
    Progress progress;
    DatasetCheckOptions options;
    options.threads = threads;
    options.progress = [&](int64_t done, int64_t total) {
        progress.count(done, total, request.split + ": checked");
    };
    for (auto& problem : without_missing_folders(check_dataset(*dataset, options)))
        rows.push_back({request.split, std::move(problem)});
    for (const auto& error : contradictions(*dataset))
        rows.push_back({request.split, {-1, "-", error.place(), error.problem()}});
    for (const auto& text : dataset->reading().recognised)
        std::cerr << fmt::format("{}: recognised: {}\n", request.split, text);
    frames += dataset->size();
    return rows;
}

bool is_same(const FrameProblem& a, const FrameProblem& b) {
    return a.index < 0 && b.index < 0 && a.file == b.file && a.problem == b.problem;
}

/// What keeps several splits from being opened, or is wrong with all of them, is one problem.
void add_row(std::vector<Row>& rows, Row row) {
    const auto same = std::find_if(rows.begin(), rows.end(),
                                   [&](const Row& other) { return is_same(other.problem, row.problem); });
    if (same == rows.end())
        rows.push_back(std::move(row));
    else
        same->split += ", " + row.split;
}

/// A data set whose splits cannot be read is one problem.
std::vector<Row> check_all(const po::variables_map& values, int threads, int64_t& frames) {
    const DatasetRequest request = read_dataset_options(values);
    std::vector<DatasetRequest> requests;
    try {
        requests = requests_of_splits(request, values);
    } catch (const Error& error) {
        return {{"-", {-1, "-", error.place(), error.problem()}}};
    }
    std::vector<Row> rows;
    for (const auto& split : requests)
        for (auto& row : check_split(split, threads, frames)) add_row(rows, std::move(row));
    return rows;
}

void print_table(const std::vector<Row>& rows) {
    size_t split = 5, frame = 5, file = 4;
    for (const auto& row : rows) {
        split = std::max(split, row.split.size());
        frame = std::max(frame, row.problem.frame.size());
        file = std::max(file, row.problem.file.size());
    }
    const auto print = [&](const std::string& a, const std::string& b, const std::string& c,
                           const std::string& d) {
        std::cout << fmt::format("{:{}}  {:{}}  {:{}}  {}\n", a, split, b, frame, c, file, d);
    };
    print("split", "frame", "file", "problem");
    for (const auto& row : rows) print(row.split, row.problem.frame, row.problem.file, row.problem.problem);
}

}  // namespace

int check_command(const Arguments& arguments) {
    po::options_description options("options");
    add_dataset_options(options);
    po::variables_map values;
    if (!parse(kCheckUsage + reading_keys_usage(), options, arguments, values, {"data"})) return 0;
    const int threads = read_threads(values);
    int64_t frames = 0;
    const std::vector<Row> rows = check_all(values, threads, frames);
    if (!rows.empty()) print_table(rows);
    std::cout << fmt::format("{} frames checked, {} problem{}\n", frames, rows.size(),
                             rows.size() == 1 ? "" : "s");
    return rows.empty() ? 0 : 1;
}

}  // namespace mtlprune::cli
