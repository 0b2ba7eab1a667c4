#include <fmt/format.h>

#include <torch/utils.h>
#include <algorithm>
#include <iostream>
#include <opencv2/imgcodecs.hpp>

#include "base/atomic_file.h"
#include "cli/commands.h"
#include "cli/dataset_options.h"
#include "datasets/inspect/class_names.h"
#include "datasets/inspect/contact_sheet.h"
#include "datasets/pipeline/label_kind.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_network.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kShowUsage =
    "usage: mtlprune data show --data LAYOUT=DIR [OPTIONS]\n\n"
    "Writes a contact sheet of a data set: images and all labels or, with --checkpoint, the labels of the "
    "network's\n"
    "tasks and its predictions. A data set is shown as its layout has it; only without --data, or with "
    "--checkpoint,\n"
    "the scale says which one and how.";

std::vector<std::vector<Label>> predict(const Experiment& experiment, const std::string& checkpoint,
                                        const std::vector<Sample>& samples) {
    const torch::NoGradGuard no_grad;
    const auto tasks = experiment_tasks(experiment.data);
    const auto model = load_network(experiment.model, tasks, load_tensors(checkpoint)).model;
    model->eval();
    auto options = experiment.data.transform;
    options.augmentation = Augmentation::none;
    std::vector<std::vector<Label>> predictions;
    for (const auto& sample : samples) {
        const auto input = transform_sample(sample, tasks, options, {}).image.unsqueeze(0);
        const auto outputs = model->forward(input);
        auto& frame = predictions.emplace_back();
        for (size_t t = 0; t < outputs.size(); ++t)
            frame.push_back(label_kind(tasks[t].kind).from_prediction(outputs[t][0], options.normals));
    }
    return predictions;
}

/// What --data names, whole, whatever a scale says of its own data.
std::shared_ptr<const Dataset> open_named(const po::variables_map& values, const std::string& split) {
    DatasetRequest request = parse_dataset(values["data"].as<std::string>());
    read_settings(values, request, /*among_others=*/true);
    request.split = split == "test" ? test_split(request) : split;
    return open_dataset(request);
}

/// The split of the experiment's data set, or of the one that is named; without a network whose tasks it must
/// have, with all its tasks.
std::shared_ptr<const Dataset> shown_dataset(const po::variables_map& values) {
    const auto split = values["split"].as<std::string>();
    auto data = read_experiment_options(values).data;  // also where it is not used: wrong options are errors
    if (values.count("checkpoint") > 0) return open_split(data, split);
    if (values.count("data") > 0) return open_named(values, split);
    data.tasks.clear();
    data.dense_labels = true;
    return open_split(data, split);
}

}  // namespace

int show_command(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("split", po::value<std::string>()->default_value("test"),
                          "a split of the data set; test: the one to test on, whatever its name")(
        "count", po::value<int64_t>()->default_value(8), "number of frames, evenly spaced")(
        "columns", po::value<int>()->default_value(1), "frames side by side")(
        "checkpoint", po::value<std::string>(), "checkpoint.pt of a run directory: show its predictions too")(
        "out", po::value<std::string>()->default_value("contact_sheet.png"), "file to write");
    po::variables_map values;
    if (!parse(kShowUsage + reading_keys_usage(), options, arguments, values)) return 0;
    const auto dataset = shown_dataset(values);
    const int64_t count = std::clamp<int64_t>(values["count"].as<int64_t>(), 1, dataset->size());
    std::vector<Sample> samples;
    for (int64_t i = 0; i < count; ++i) samples.push_back(dataset->get(i * dataset->size() / count));
    std::vector<std::vector<Label>> predictions;
    if (values.count("checkpoint") > 0)
        predictions =
            predict(read_experiment_options(values), values["checkpoint"].as<std::string>(), samples);
    ContactSheetOptions sheet;
    sheet.columns = values["columns"].as<int>();
    sheet.class_names = known_class_names(dataset->tasks());
    std::vector<unsigned char> png;
    cv::imencode(
        ".png", contact_sheet(samples, dataset->tasks(), predictions.empty() ? nullptr : &predictions, sheet),
        png);
    const auto out = values["out"].as<std::string>();
    write_file_atomically(out, {png.begin(), png.end()});
    std::cout << std::filesystem::absolute(out).string() << "\n";
    return 0;
}

}  // namespace mtlprune::cli
