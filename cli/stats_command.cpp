#include <fmt/format.h>

#include <iostream>

#include "base/progress.h"
#include "cli/commands.h"
#include "cli/dataset_options.h"
#include "datasets/inspect/statistics_files.h"
#include "reproduce/report/figure_drawing.h"
#include "reproduce/resources.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kStatsUsage =
    "usage: mtlprune data stats LAYOUT=DIR --out DIR [OPTIONS]\n\nWrites class histograms, depth and normal "
    "distributions, valid fractions and the images' mean and standard deviation\nof one split (default: the "
    "layout's first) as JSON, CSV and a plot.";

void draw(const std::filesystem::path& folder) {
    const auto python = python_with_matplotlib();
    if (python)
        draw_data_statistics(*python, resource_folder() / "figures", folder);
    else
        std::cerr << "mtlprune: no plot: no python3 with matplotlib and numpy\n";
}

}  // namespace

int stats_command(const Arguments& arguments) {
    po::options_description options("options");
    add_dataset_options(options);
    options.add_options()("out", po::value<std::string>()->required(), "folder to write (created)");
    po::variables_map values;
    if (!parse(kStatsUsage + reading_keys_usage(), options, arguments, values, {"data"})) return 0;
    const auto dataset = open_dataset(requests_of_splits(read_dataset_options(values), values).front());
    Progress progress;
    DatasetStatisticsOptions reading;
    reading.threads = read_threads(values);
    reading.progress = [&](int64_t done, int64_t total) { progress.count(done, total, "read"); };
    const std::filesystem::path folder = values["out"].as<std::string>();
    write_statistics(dataset_statistics(*dataset, reading), folder);
    draw(folder);
    std::cout << std::filesystem::absolute(folder).string() << "\n";
    return 0;
}

}  // namespace mtlprune::cli
