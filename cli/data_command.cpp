#include <fmt/format.h>

#include <torch/utils.h>
#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "datasets/inspect/contact_sheet.h"
#include "datasets/layouts/adashare_writer.h"
#include "datasets/layouts/open_dataset.h"
#include "datasets/pipeline/label_kind.h"
#include "datasets/synthetic/synthetic_rooms.h"
#include "reproduce/stages/experiment_data.h"
#include "reproduce/stages/stage_kinds.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kDataUsage =
    "usage: mtlprune data show [OPTIONS]     a contact sheet (PNG) of frames, labels and predictions\n"
    "       mtlprune data render [OPTIONS]   write the synthetic rooms in the AdaShare layout\n"
    "       mtlprune data pack LAYOUT=DIR OUT.h5   write a data set into one HDF5 file\n"
    "       mtlprune data check LAYOUT=DIR   decode every frame, print every problem\n"
    "       mtlprune data stats LAYOUT=DIR --out DIR   classes, depths, normals, colours: JSON, CSV, plot\n\n"
    "Add --help to any.\n";

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

/// The split of the experiment's data set; without a network whose tasks it must have, with all its tasks.
std::shared_ptr<const Dataset> shown_dataset(const po::variables_map& values) {
    auto data = read_experiment_options(values).data;
    if (values.count("checkpoint") == 0) {
        data.tasks.clear();
        data.dense_labels = true;
    }
    return open_split(data, values["split"].as<std::string>());
}

int show(const Arguments& arguments) {
    po::options_description options("options");
    add_experiment_options(options);
    options.add_options()("split", po::value<std::string>()->default_value("test"), "train or test")(
        "count", po::value<int64_t>()->default_value(8), "number of frames, evenly spaced")(
        "columns", po::value<int>()->default_value(1), "frames side by side")(
        "checkpoint", po::value<std::string>(), "checkpoint.pt of a run directory: show its predictions too")(
        "out", po::value<std::string>()->default_value("contact_sheet.png"), "file to write");
    po::variables_map values;
    if (!parse("usage: mtlprune data show [OPTIONS]\n\nWrites a contact sheet of a data set: images and all "
               "labels or, with --checkpoint,\nthe labels of the network's tasks and its predictions.",
               options, arguments, values))
        return 0;
    const bool predict_too = values.count("checkpoint") > 0;
    const auto dataset = shown_dataset(values);
    const int64_t count = std::clamp<int64_t>(values["count"].as<int64_t>(), 1, dataset->size());
    std::vector<Sample> samples;
    for (int64_t i = 0; i < count; ++i) samples.push_back(dataset->get(i * dataset->size() / count));
    std::vector<std::vector<Label>> predictions;
    if (predict_too)
        predictions =
            predict(read_experiment_options(values), values["checkpoint"].as<std::string>(), samples);
    ContactSheetOptions sheet;
    sheet.columns = values["columns"].as<int>();
    if (!dataset->tasks().empty() && dataset->tasks()[0].channels == 13)
        sheet.class_names = nyu13_class_names();
    std::vector<unsigned char> png;
    cv::imencode(
        ".png", contact_sheet(samples, dataset->tasks(), predictions.empty() ? nullptr : &predictions, sheet),
        png);
    const auto out = values["out"].as<std::string>();
    write_file_atomically(out, {png.begin(), png.end()});
    std::cout << std::filesystem::absolute(out).string() << "\n";
    return 0;
}

int render(const Arguments& arguments) {
    po::options_description options("options");
    options.add_options()("out", po::value<std::string>()->required(), "folder to write (created)")(
        "train", po::value<int64_t>()->default_value(256), "training frames")(
        "test", po::value<int64_t>()->default_value(64), "test frames")(
        "height", po::value<int64_t>()->default_value(240), "pixels")(
        "width", po::value<int64_t>()->default_value(320), "pixels")(
        "seed", po::value<uint64_t>()->default_value(0), "of the scenes")(
        "threads", po::value<int>()->default_value(static_cast<int>(std::thread::hardware_concurrency())),
        "rendering threads");
    po::variables_map values;
    if (!parse("usage: mtlprune data render --out DIR [OPTIONS]\n\nWrites the synthetic rooms in the "
               "AdaShare layout, readable with --data nyuv2=DIR\n"
               "(13 classes: add --set data.classes=13).",
               options, arguments, values, {"out"}))
        return 0;
    SyntheticRoomsOptions rooms;
    rooms.height = values["height"].as<int64_t>();
    rooms.width = values["width"].as<int64_t>();
    rooms.seed = values["seed"].as<uint64_t>();
    rooms.count = values["train"].as<int64_t>();
    const SyntheticRooms train(rooms);
    rooms.count = values["test"].as<int64_t>();
    rooms.split = "test";
    const SyntheticRooms test(rooms);
    AdaShareWriterOptions writer;
    writer.threads = values["threads"].as<int>();
    writer.progress = [](int64_t done, int64_t total) {
        if (done % 16 == 0 || done == total)
            std::cerr << fmt::format("\rrendered {} of {} frames", done, total)
                      << (done == total ? "\n" : "");
    };
    const auto out = values["out"].as<std::string>();
    write_adashare(train, test, out, writer);
    std::cout << std::filesystem::absolute(out).string() << "\n";
    return 0;
}

}  // namespace

int data_command(const Arguments& arguments) {
    if (!arguments.empty() && arguments[0] == "show") return show({arguments.begin() + 1, arguments.end()});
    if (!arguments.empty() && arguments[0] == "render")
        return render({arguments.begin() + 1, arguments.end()});
    if (!arguments.empty() && arguments[0] == "pack")
        return pack_command({arguments.begin() + 1, arguments.end()});
    if (!arguments.empty() && arguments[0] == "check")
        return check_command({arguments.begin() + 1, arguments.end()});
    if (!arguments.empty() && arguments[0] == "stats")
        return stats_command({arguments.begin() + 1, arguments.end()});
    if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
        std::cout << kDataUsage;
        return 0;
    }
    const std::string name = arguments.empty() ? "" : arguments[0];
    throw Error(fmt::format("data: unknown sub-command '{}'{}; mtlprune data --help lists all", name,
                            did_you_mean(name, {"show", "render", "pack", "check", "stats"})));
}

}  // namespace mtlprune::cli
