#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/input_value.h"
#include "models/model_spec.h"
#include "models/weights/load_weights.h"
#include "pruning/cost/cost.h"
#include "pruning/coupling/groups.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kDefaultHead = "linear";

/// "depth" or "segmentation:40"
TaskSpec task_of(const std::string& text) {
    const size_t colon = text.find(':');
    const auto kind = task_kind(text.substr(0, colon), "option --tasks");
    if (colon == std::string::npos) return {text, kind, kind == TaskKind::normals ? 3 : 1};
    const auto digits = text.substr(colon + 1);
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos ||
        std::stoi(digits) < 1)
        throw Error("option", "--tasks", "KIND or KIND:CHANNELS, e.g. segmentation:40", "'" + text + "'");
    return {text.substr(0, colon), kind, std::stoi(digits)};
}

std::vector<int64_t> image_shape(const std::string& text) {
    const auto value = InputDrawer(torch::kFloat).draw(text);
    const auto shape = value.isTensor() ? value.toTensor().sizes().vec() : std::vector<int64_t>();
    if (shape.size() != 4 || shape[1] != 3)
        throw Error("option", "--input", "Bx3xHxW, e.g. 1x3x288x384", "'" + text + "'");
    return shape;
}

struct Sizes {
    Cost whole;
    int64_t shared;   ///< parameters
    double prunable;  ///< share of the parameters that leave when one channel of every group stays
};

Sizes sizes_of(Model& model, const torch::Tensor& image) {
    const auto coupling =
        couple(model, [&](const std::vector<torch::Tensor>& in) { return model.forward(in.at(0)); }, {image});
    std::vector<int64_t> fewest;
    for (const auto& group : coupling.groups) fewest.push_back(group.frozen ? group.channels : 1);
    Sizes sizes{cost_of(coupling.graph), 0, 0};
    for (const auto& [name, tensor] : model.shared_parameters()) sizes.shared += tensor.numel();
    const auto least = cost_of(coupling, fewest).parameters;
    sizes.prunable = 1.0 - static_cast<double>(least) / static_cast<double>(sizes.whole.parameters);
    return sizes;
}

std::string millions(int64_t count) {
    return fmt::format("{:.2f} M", static_cast<double>(count) * 1e-6);
}

/// Networks that flatten the image say of which size it must be.
torch::Tensor image_for(const std::string& spec, std::vector<int64_t> shape) {
    const auto options = parse_model_spec(spec, spec).backbone.options;
    if (options.contains("size")) shape[2] = shape[3] = options.at("size").get<int64_t>();
    return torch::zeros(shape);
}

void print_sizes(const std::string& spec, const std::vector<TaskSpec>& tasks, const torch::Tensor& image) {
    const auto model = make_model(spec, tasks);
    model->eval();
    const auto sizes = sizes_of(*model, image);
    std::cout << fmt::format(
                     "{:32} {:>11} {:>11} {:>10} {:>10} {:>8.1f} %\n", spec, millions(sizes.whole.parameters),
                     millions(sizes.shared),
                     fmt::format("{:.2f} G", static_cast<double>(sizes.whole.macs) * 1e-9),
                     fmt::format("{:.0f} MiB", static_cast<double>(sizes.whole.activation_bytes) / (1 << 20)),
                     100 * sizes.prunable)
              << std::flush;
}

/// A backbone alone gets the default head.
std::vector<std::string> specs_of(const po::variables_map& values) {
    std::vector<std::string> specs;
    if (values.count("model") > 0)
        specs = values["model"].as<std::vector<std::string>>();
    else
        for (const auto& entry : backbones().entries()) specs.push_back(entry.key);
    for (auto& spec : specs)
        if (spec.find('/') == std::string::npos) spec += std::string("/") + kDefaultHead;
    return specs;
}

}  // namespace

int models_command(const Arguments& arguments) {
    po::options_description options("options");
    options.add_options()("model", po::value<std::vector<std::string>>()->multitoken(),
                          "BACKBONE or BACKBONE/HEAD (see mtlprune list); default: every backbone")(
        "input", po::value<std::string>()->default_value("1x3x288x384"),
        "shape of the images (lenet5 and others that flatten them have a size of their own)")(
        "tasks", po::value<std::vector<std::string>>()->multitoken(),
        "KIND or KIND:CHANNELS; default: segmentation:40 normals depth")(
        "weights", po::value<std::string>(),
        "a state dict (.pt, .pth, .safetensors): say whether it fits the model")(
        "partial", po::bool_switch(), "with --weights: also when something is missing or left over");
    po::variables_map values;
    if (!parse("usage: mtlprune models [MODEL ...] [OPTIONS]\n\nPrints what networks cost for an input: "
               "parameters "
               "(all, and those that tasks share), multiply-accumulates,\nmemory of all operators' results, "
               "and how "
               "many of the parameters leave when one channel of every group stays.",
               options, arguments, values, {"model"}))
        return 0;
    std::vector<TaskSpec> tasks;
    if (values.count("tasks") > 0)
        for (const auto& text : values["tasks"].as<std::vector<std::string>>())
            tasks.push_back(task_of(text));
    else
        tasks = nyuv2_tasks(40);
    const auto specs = specs_of(values);
    const auto shape = image_shape(values["input"].as<std::string>());
    std::cout << fmt::format("{:32} {:>11} {:>11} {:>10} {:>10} {:>10}\n", "model", "parameters", "shared",
                             "MACs", "results", "prunable");
    for (const auto& spec : specs) print_sizes(spec, tasks, image_for(spec, shape));
    if (values.count("weights") == 0) return 0;
    const auto path = values["weights"].as<std::string>();
    const auto weights = read_weights(path);
    for (const auto& spec : specs)
        std::cout << fmt::format("\n{} into {}\n{}", path, spec,
                                 load_weights(*make_model(spec, tasks), weights, path,
                                              /*strict=*/!values["partial"].as<bool>())
                                     .text());
    return 0;
}

}  // namespace mtlprune::cli
