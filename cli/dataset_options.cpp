#include "cli/dataset_options.h"

#include <algorithm>
#include <thread>

namespace mtlprune::cli {

void add_dataset_options(po::options_description& options) {
    const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    options.add_options()("data", po::value<std::string>()->required(),
                          "LAYOUT=DIR; mtlprune list names the layouts")(
        "split", po::value<std::vector<std::string>>()->multitoken(),
        "splits; default: the layout's usual ones")("classes", po::value<int64_t>()->default_value(0),
                                                    "number of classes; 0 = the layout's usual")(
        "limit", po::value<int64_t>()->default_value(0),
        "only this many frames per split, evenly spaced; 0 = all")(
        "threads", po::value<int>()->default_value(cores), "threads that decode");
}

std::vector<DatasetRequest> read_dataset_options(const po::variables_map& values) {
    DatasetRequest request = parse_dataset(values["data"].as<std::string>());
    request.classes = values["classes"].as<int64_t>();
    request.limit = values["limit"].as<int64_t>();
    const auto splits = values.count("split") > 0 ? values["split"].as<std::vector<std::string>>()
                                                  : dataset_layout(request.layout).splits;
    std::vector<DatasetRequest> requests;
    for (const auto& split : splits) {
        request.split = split;
        requests.push_back(request);
    }
    return requests;
}

int read_threads(const po::variables_map& values) {
    const int threads = values["threads"].as<int>();
    if (threads < 1) throw Error("option", "--threads", "1 or more", std::to_string(threads));
    return threads;
}

}  // namespace mtlprune::cli
