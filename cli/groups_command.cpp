#include <fmt/format.h>

#include <iostream>

#include "base/atomic_file.h"
#include "cli/commands.h"
#include "cli/script_file.h"
#include "cli/script_input.h"
#include "pruning/cost/cost.h"
#include "pruning/coupling/group_drawing.h"
#include "pruning/graph/script_network.h"
#include "reproduce/stages/experiment_data.h"

namespace mtlprune::cli {
namespace {

/// The coupling of a TorchScript file, or of an experiment's network when none is given.
Coupling couple_named(const po::variables_map& values) {
    const auto options = read_coupling_options(values);
    if (values.count("in") > 0) {
        const auto module = load_script(values["in"].as<std::string>());
        return couple(module, example_inputs(module, values), options);
    }
    const auto experiment = read_experiment_options(values);
    const auto model = make_model(experiment.model, experiment_tasks(experiment.data));
    const auto& transform = experiment.data.transform;
    const auto image = torch::zeros({1, 3, transform.height, transform.width});
    return couple(
        *model, [&](const std::vector<torch::Tensor>& in) { return model->forward(in.at(0)); }, {image},
        options);
}

bool parse_network(const std::string& usage, const Arguments& arguments, po::options_description& options,
                   po::variables_map& values) {
    options.add_options()("in", po::value<std::string>(),
                          "a TorchScript file; without one the network of --scale");
    add_coupling_options(options);
    add_experiment_options(options);
    return parse(usage, options, arguments, values, {"in"});
}

}  // namespace

int groups_command(const Arguments& arguments) {
    po::options_description options("options");
    options.add_options()("dot", po::value<std::string>(),
                          "write a Graphviz picture (dot -Tsvg FILE) as well")(
        "members", po::bool_switch(), "list every tensor of every group");
    po::variables_map values;
    if (!parse_network("usage: mtlprune groups [IN.pt --input INPUT] [OPTIONS]\n\nPrints the groups of "
                       "channels that must "
                       "leave together.",
                       arguments, options, values))
        return 0;
    const auto coupling = couple_named(values);
    std::cout << group_table(coupling, values["members"].as<bool>());
    if (values.count("dot") > 0)
        write_file_atomically(values["dot"].as<std::string>(), group_graph(coupling));
    return 0;
}

int explain_command(const Arguments& arguments) {
    po::options_description options("options");
    po::variables_map values;
    if (!parse_network("usage: mtlprune explain [IN.pt --input INPUT] [OPTIONS]\n\nSays which channels "
                       "cannot leave, and why.",
                       arguments, options, values))
        return 0;
    std::cout << frozen_table(couple_named(values));
    return 0;
}

}  // namespace mtlprune::cli
