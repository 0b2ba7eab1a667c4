#include <fmt/format.h>

#include <iostream>
#include <thread>

#include "base/json_reader.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "datasets/layouts/adashare_writer.h"
#include "datasets/synthetic/synthetic_rooms.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kDataUsage =
    "usage: mtlprune data show [OPTIONS]     a contact sheet (PNG) of frames, labels and predictions\n"
    "       mtlprune data render [OPTIONS]   write the synthetic rooms in the AdaShare layout\n"
    "       mtlprune data pack LAYOUT=DIR OUT.h5   write a data set into one HDF5 file\n"
    "       mtlprune data check LAYOUT=DIR   decode every frame, print every problem\n"
    "       mtlprune data stats LAYOUT=DIR --out DIR   classes, depths, normals, colours: JSON, CSV, plot\n\n"
    "Add --help to any.\n";

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
    if (!arguments.empty() && arguments[0] == "show")
        return show_command({arguments.begin() + 1, arguments.end()});
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
