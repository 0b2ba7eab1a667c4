#include "bench/kit/latency_flags.h"

#include <sstream>

#include "base/error.h"

namespace mtlprune {

void add_latency_flags(boost::program_options::options_description& options, LatencyOptions& latency) {
    namespace po = boost::program_options;
    options.add_options()("seconds", po::value(&latency.seconds)->default_value(latency.seconds),
                          "of timed runs of everything that is measured, at least")(
        "runs", po::value(&latency.runs)->default_value(latency.runs), "of each, at least")(
        "most-seconds", po::value(&latency.most_seconds)->default_value(1e9, "unlimited"),
        "of what runs in turns, warm-up included")(
        "warm-up-runs", po::value(&latency.warm_up_runs)->default_value(latency.warm_up_runs),
        "of each, at least")("warm-up-seconds",
                             po::value(&latency.warm_up_seconds)->default_value(latency.warm_up_seconds),
                             "of each, at least")(
        "seed", po::value(&latency.seed)->default_value(latency.seed), "of the order of the runs");
}

std::vector<int64_t> read_numbers(const std::string& text, const std::string& option) {
    std::vector<int64_t> numbers;
    for (const auto& part : split(text, ',')) {
        int64_t number = 0;
        std::istringstream(part) >> number;
        if (number < 1)
            throw Error("option", option, "numbers of at least 1, separated by commas", "\"" + text + "\"");
        numbers.push_back(number);
    }
    return numbers;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

}  // namespace mtlprune
