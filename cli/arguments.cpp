#include "cli/arguments.h"

#include <fmt/format.h>

#include <iostream>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "datasets/layouts/open_dataset.h"
#include "reproduce/resources.h"

namespace mtlprune::cli {
namespace {

std::vector<std::string> option_names(const po::options_description& options) {
    std::vector<std::string> names;
    for (const auto& option : options.options()) names.push_back("--" + option->long_name());
    return names;
}

}  // namespace

std::pair<std::string, nlohmann::json> parse_override(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        throw Error("option", "--set", "KEY.PATH=VALUE", "'" + text + "'");
    const auto value = text.substr(equals + 1);
    auto json = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) json = value;
    return {text.substr(0, equals), json};
}

bool parse(const std::string& usage, po::options_description& options,
           const std::vector<std::string>& arguments, po::variables_map& values,
           const std::vector<std::string>& positional) {
    options.add_options()("help,h", "show this help");
    po::positional_options_description positions;
    for (const auto& name : positional) {
        const bool takes_all = options.find(name, false).semantic()->max_tokens() > 1;
        positions.add(name.c_str(), takes_all ? -1 : 1);
    }
    try {
        po::store(po::command_line_parser(arguments)
                      .options(options)
                      .positional(positions)
                      .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
                      .run(),
                  values);
        if (values.count("help") > 0) {
            std::cout << usage << "\n\n" << options;
            return false;
        }
        po::notify(values);
    } catch (const po::unknown_option& error) {
        const auto name = error.get_option_name();
        throw Error(fmt::format("unknown option '{}'{}; --help lists all", name,
                                did_you_mean(name, option_names(options))));
    } catch (const po::too_many_positional_options_error&) {
        throw Error("too many arguments; --help shows the usage");
    } catch (const po::error& error) {
        throw Error(fmt::format("{}; --help shows the usage", error.what()));
    }
    return true;
}

void add_experiment_options(po::options_description& options, const std::string& default_scale) {
    options.add_options()("scale", po::value<std::string>()->default_value(default_scale),
                          "smoke, quick, small, paper, or a JSON file")(
        "data", po::value<std::string>(),
        "LAYOUT=DIR, e.g. nyuv2=DIR (AdaShare layout, see docs/datasets/nyuv2.md), or synthetic_rooms; "
        "mtlprune "
        "list names the layouts; default: what the scale says")(
        "seeds", po::value<std::vector<uint64_t>>()->multitoken(),
        "seeds instead of the scale's, e.g. --seeds 0 1 2")("device", po::value<std::string>(),
                                                            "cpu or cuda")(
        "fidelity", po::value<std::string>(),
        "corrected (what the paper means) or as_released (its code, quirks included)")(
        "set", po::value<std::vector<std::string>>()->composing(),
        "KEY.PATH=VALUE: replace any key of the scale, e.g. --set dense.iterations=500")(
        "runs", po::value<std::string>()->default_value("runs"),
        "folder of the run directories (resumed and reused)");
}

Overrides data_overrides(const std::string& text) {
    const auto request = parse_dataset(text);
    const auto& name = dataset_layout(request.layout).name;
    if (request.folder.empty()) return {{"data.kind", name}};
    // Run directories carry the hash of the description, and theirs say "adashare".
    return {{"data.kind", name == "nyuv2_adashare" ? "adashare" : name},
            {"data.path", request.folder.string()}};
}

Experiment read_experiment_options(const po::variables_map& values, const Overrides& more) {
    Overrides overrides;
    if (values.count("data") > 0) overrides = data_overrides(values["data"].as<std::string>());
    if (values.count("seeds") > 0)
        overrides.emplace_back("seeds", values["seeds"].as<std::vector<uint64_t>>());
    for (const char* key : {"device", "fidelity"})
        if (values.count(key) > 0) overrides.emplace_back(key, values[key].as<std::string>());
    if (values.count("set") > 0)
        for (const auto& text : values["set"].as<std::vector<std::string>>())
            overrides.push_back(parse_override(text));
    overrides.insert(overrides.end(), more.begin(), more.end());
    const auto file = scale_file(values["scale"].as<std::string>());
    return read_experiment(read_file(file, "scale"), file.filename().string(), overrides);
}

std::vector<std::string> experiment_words(const po::variables_map& values) {
    std::vector<std::string> words;
    for (const char* key : {"scale", "data", "device", "fidelity", "runs"})
        if (values.count(key) > 0)
            words.insert(words.end(), {fmt::format("--{}", key), values[key].as<std::string>()});
    if (values.count("set") > 0)
        for (const auto& text : values["set"].as<std::vector<std::string>>())
            words.insert(words.end(), {"--set", text});
    if (values.count("seeds") > 0) {
        words.emplace_back("--seeds");
        for (const uint64_t seed : values["seeds"].as<std::vector<uint64_t>>())
            words.push_back(std::to_string(seed));
    }
    return words;
}

}  // namespace mtlprune::cli
