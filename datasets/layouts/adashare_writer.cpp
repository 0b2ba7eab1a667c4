#include "datasets/layouts/adashare_writer.h"

#include <fmt/format.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/codecs/npy_writer.h"
#include "datasets/pipeline/parallel_for.h"

namespace mtlprune {
namespace {

constexpr const char* kList = "nyu_v2_3task.json";

struct FrameFiles {
    std::string image, segmentation, normals, depth;
};

FrameFiles files_of(int64_t number) {
    return {fmt::format("img/{:04}.png", number), fmt::format("seg/{:04}.png", number),
            fmt::format("normal_mask/{:04}.png", number), fmt::format("depth/{:04}.npy", number)};
}

/// The layout's tasks in a frame.
struct NyuLabels {
    cv::Mat segmentation, normals, depth;
};

/// The labels of the first task of each of the layout's kinds; empty where there is none.
NyuLabels labels_of(const Sample& sample, const std::vector<TaskSpec>& tasks) {
    const auto pixels = [&](TaskKind kind) {
        const auto task = first_task(tasks, kind);
        return task && *task < sample.labels.size() ? sample.labels[*task].pixels : cv::Mat();
    };
    return {pixels(TaskKind::segmentation), pixels(TaskKind::normals), pixels(TaskKind::depth)};
}

void check(const Sample& sample, const NyuLabels& labels) {
    const auto require = [&](const cv::Mat& pixels, int type, const char* name) {
        if (pixels.empty()) throw Error("AdaShare writer", sample.id + ": " + name, "pixels", "none");
        if (pixels.type() != type)
            throw Error("AdaShare writer", sample.id + ": " + name, cv::typeToString(type),
                        cv::typeToString(pixels.type()));
        if (pixels.size() != sample.image.size())
            throw Error("AdaShare writer", sample.id + ": " + name,
                        fmt::format("{}x{} like the image", sample.image.cols, sample.image.rows),
                        fmt::format("{}x{}", pixels.cols, pixels.rows));
    };
    require(sample.image, CV_8UC3, "image");
    require(labels.segmentation, CV_8UC1, "segmentation");
    require(labels.normals, labels.normals.type() == CV_32FC3 ? CV_32FC3 : CV_8UC3, "normals");
    require(labels.depth, CV_32FC1, "depth");
}

void write_png(const std::filesystem::path& path, const cv::Mat& pixels) {
    std::vector<uint8_t> bytes;
    bool encoded = false;
    try {
        encoded = cv::imencode(".png", pixels, bytes);
    } catch (const cv::Exception& error) {
        throw Error(fmt::format("{}: cannot encode PNG: {}", path.string(), error.err));
    }
    if (!encoded) throw Error(fmt::format("{}: cannot encode PNG", path.string()));
    write_file_atomically(path, std::string(bytes.begin(), bytes.end()));
}

void write_frame(const Dataset& source, int64_t index, const std::filesystem::path& folder,
                 const FrameFiles& files) {
    const Sample sample = source.get(index);
    const NyuLabels labels = labels_of(sample, source.tasks());
    check(sample, labels);
    write_png(folder / files.image, sample.image);
    write_png(folder / files.segmentation, labels.segmentation);
    write_png(folder / files.normals,
              labels.normals.type() == CV_32FC3 ? encode_normals(labels.normals) : labels.normals);
    write_file_atomically(folder / files.depth, encode_npy_f32(labels.depth, true));
}

nlohmann::json list_of(int64_t first, int64_t count) {
    nlohmann::json list = nlohmann::json::array();
    for (int64_t i = first; i < first + count; ++i) {
        const FrameFiles files = files_of(i);
        list.push_back({files.image, files.segmentation, files.normals, files.depth});
    }
    return list;
}

void prepare(const std::filesystem::path& folder) {
    make_folder(folder);
    std::error_code code;
    std::filesystem::remove(folder / kList, code);
    if (code) throw Error(fmt::format("{}: cannot remove: {}", (folder / kList).string(), code.message()));
    for (const char* part : {"img", "seg", "normal_mask", "depth"}) make_folder(folder / part);
}

}  // namespace

void write_adashare(const Dataset& train, const Dataset& test, const std::filesystem::path& folder,
                    const AdaShareWriterOptions& options) {
    prepare(folder);
    const int64_t total = train.size() + test.size();
    std::mutex mutex;
    int64_t done = 0;
    parallel_for(total, options.threads, [&](int64_t i) {
        if (i < train.size())
            write_frame(train, i, folder, files_of(i));
        else
            write_frame(test, i - train.size(), folder, files_of(i));
        const std::lock_guard lock(mutex);
        ++done;
        if (options.progress) options.progress(done, total);
    });
    const nlohmann::json list = {{"train", list_of(0, train.size())},
                                 {"test", list_of(train.size(), test.size())}};
    write_file_atomically(folder / kList, list.dump(1) + "\n");
}

}  // namespace mtlprune
