#include "cli/dataset_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <thread>

#include "base/json_reader.h"

namespace mtlprune::cli {

void add_dataset_options(po::options_description& options) {
    const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    options.add_options()("data", po::value<std::string>()->required(),
                          "LAYOUT=DIR; mtlprune list names the layouts")(
        "split", po::value<std::vector<std::string>>()->multitoken(), "splits; default: the data set's own")(
        "classes", po::value<int64_t>()->default_value(0), "number of classes; 0 = the layout's usual")(
        "limit", po::value<int64_t>()->default_value(0),
        "only this many frames per split, evenly spaced; 0 = all")(
        "threads", po::value<int>()->default_value(cores), "threads that decode");
    add_reading_option(options);
}

void add_reading_option(po::options_description& options) {
    options.add_options()("set", po::value<std::vector<std::string>>()->composing(),
                          "data.KEY=VALUE: how the files are read; the keys stand above");
}

std::string reading_keys_usage() {
    return "\n\nKeys of --set, with their defaults:\n" + reading_keys_text("  ");
}

void read_settings(const po::variables_map& values, DatasetRequest& request, bool among_others) {
    if (values.count("set") == 0) return;
    const auto& layout = dataset_layout(request.layout);
    std::vector<std::string> known = {"data.classes", "data.tasks"};
    for (const auto& option : layout.options) known.push_back("data." + option.name);
    for (const auto& text : values["set"].as<std::vector<std::string>>()) {
        const auto [key, value] = parse_override(text);
        const bool is_known = std::find(known.begin(), known.end(), key) != known.end();
        if (!is_known && among_others) continue;
        if (!is_known)
            throw Error("option", "--set", fmt::format("one of {} ({})", fmt::join(known, ", "), layout.name),
                        "'" + key + "'" + did_you_mean(key, known));
        try {
            if (key == "data.classes")
                request.classes = value.get<int64_t>();
            else if (key == "data.tasks")
                request.tasks = value.get<std::vector<std::string>>();
            else
                request.options[key.substr(5)] = value;
        } catch (const nlohmann::json::exception&) {
            throw Error("option", "--set " + key,
                        key == "data.tasks" ? "a list of names, e.g. [\"depth\"]" : "a number", value.dump());
        }
    }
    complete_layout_options(layout, request.options);
}

DatasetRequest read_dataset_options(const po::variables_map& values) {
    DatasetRequest request = parse_dataset(values["data"].as<std::string>());
    request.classes = values["classes"].as<int64_t>();
    request.limit = values["limit"].as<int64_t>();
    read_settings(values, request);
    return request;
}

std::vector<DatasetRequest> requests_of_splits(DatasetRequest request, const po::variables_map& values) {
    const auto splits =
        values.count("split") > 0 ? values["split"].as<std::vector<std::string>>() : dataset_splits(request);
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
