#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>
#include <tuple>

#include "base/error.h"
#include "base/progress.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/dataset_options.h"
#include "datasets/conventions/contradictions.h"
#include "datasets/layouts/open_dataset.h"
#include "datasets/packed/packed_writer.h"

namespace mtlprune::cli {
namespace {

constexpr const char* kPackUsage =
    "usage: mtlprune data pack LAYOUT=DIR OUT.h5 [OPTIONS]\n\n"
    "Writes a data set into one HDF5 file, which --data packed=OUT.h5 reads (docs/datasets/packed.md).\n"
    "Labels are stored losslessly with every codec.";

/// "HxW"; 0 and 0 for "".
std::pair<int64_t, int64_t> parse_size(const std::string& text) {
    if (text.empty()) return {0, 0};
    int64_t height = 0, width = 0;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%ldx%ld%c", &height, &width, &rest) != 2 || height < 1 || width < 1)
        throw Error("option", "--size", "HEIGHTxWIDTH, e.g. 240x320", "'" + text + "'");
    return {height, width};
}

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> names;
    for (size_t start = 0; start <= text.size();) {
        const size_t comma = std::min(text.find(',', start), text.size());
        names.push_back(text.substr(start, comma - start));
        if (names.back().empty()) throw Error("option", "--split", "names between commas", "'" + text + "'");
        start = comma + 1;
    }
    return names;
}

std::optional<NormalsFromDepth> fitted_normals(const std::string& choice, const DatasetRequest& request,
                                               const PackedSplit& split, const PackedWriterOptions& options) {
    if (choice == "stored") return std::nullopt;
    if (choice != "from_depth")
        throw Error("option", "--normals", "stored or from_depth", "'" + choice + "'");
    if (!dataset_layout(request.layout).name.starts_with("nyuv2"))
        throw Error("option", "--normals from_depth", "NYUv2, whose camera is known", request.layout);
    cv::Size size(static_cast<int>(options.width), static_cast<int>(options.height));
    if (options.height == 0) size = split.frames->get(0).image.size();
    return NormalsFromDepth{kNyuCamera.resized({640, 480}, size),
                            std::max(1, (kNormalsRadius * size.height + 240) / 480)};
}

PackedWriterOptions writer_options(const po::variables_map& values) {
    PackedWriterOptions options;
    options.codec = packed_codec(values["codec"].as<std::string>());
    options.jpeg_quality = values["quality"].as<int>();
    std::tie(options.height, options.width) = parse_size(values["size"].as<std::string>());
    options.limit = values["limit"].as<int64_t>();
    options.level = values["level"].as<int>();
    options.threads = values["threads"].as<int>();
    const auto progress = std::make_shared<Progress>();
    options.progress = [progress](int64_t done, int64_t total) { progress->count(done, total, "packed"); };
    return options;
}

}  // namespace

int pack_command(const Arguments& arguments) {
    po::options_description options("options");
    options.add_options()("source", po::value<std::string>()->required(), "LAYOUT=DIR")(
        "out", po::value<std::string>()->required(), "file to write")(
        "codec", po::value<std::string>()->default_value("jpeg"),
        "of images: jpeg; png (lossless); raw (arrays, fastest to read); copy (the source's files)")(
        "quality", po::value<int>()->default_value(PackedWriterOptions().jpeg_quality), "of jpeg, 1..100")(
        "size", po::value<std::string>()->default_value(""), "resize to HEIGHTxWIDTH, e.g. 240x320")(
        "limit", po::value<int64_t>()->default_value(0), "frames of each split, evenly spaced; 0 = all")(
        "split", po::value<std::string>()->default_value(""),
        "splits, e.g. train,test; default: the usual ones")("classes", po::value<int64_t>()->default_value(0),
                                                            "of segmentation; 0 = the layout's usual number")(
        "normals", po::value<std::string>()->default_value("stored"),
        "stored, or from_depth (NYUv2): not stored, fitted to the stored depth on reading")(
        "level", po::value<int>()->default_value(PackedWriterOptions().level),
        "compression of labels, 1..12")(
        "threads", po::value<int>()->default_value(static_cast<int>(std::thread::hardware_concurrency())),
        "encoding threads");
    add_reading_option(options);
    po::variables_map values;
    if (!parse(kPackUsage + reading_keys_usage(), options, arguments, values, {"source", "out"})) return 0;
    auto writer = writer_options(values);
    auto request = parse_dataset(values["source"].as<std::string>());
    request.classes = values["classes"].as<int64_t>();
    read_settings(values, request);
    const auto chosen = values["split"].as<std::string>();
    std::vector<PackedSplit> splits;
    for (const auto& name : chosen.empty() ? dataset_splits(request) : split_names(chosen)) {
        request.split = name;
        splits.push_back({name, open_dataset(request)});
        require_no_contradictions(*splits.back().frames);
    }
    writer.normals_from_depth =
        fitted_normals(values["normals"].as<std::string>(), request, splits.front(), writer);
    const auto out = values["out"].as<std::string>();
    write_packed(splits, out, writer);
    std::cout << std::filesystem::absolute(out).string() << "\n";
    return 0;
}

}  // namespace mtlprune::cli
