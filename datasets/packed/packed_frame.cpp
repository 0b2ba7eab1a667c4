#include "datasets/packed/packed_frame.h"

#include <fmt/format.h>

#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/png_writer.h"
#include "datasets/contract/image_files.h"
#include "datasets/packed/label_stream.h"

namespace mtlprune {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes raw_bytes(const cv::Mat& pixels) {
    const size_t row = static_cast<size_t>(pixels.cols) * pixels.elemSize();
    Bytes bytes(pixels.rows * row);
    for (int y = 0; y < pixels.rows; ++y) std::memcpy(bytes.data() + y * row, pixels.ptr(y), row);
    return bytes;
}

Bytes raw_classes(const Sample& sample, const std::vector<TaskSpec>& tasks) {
    std::vector<int64_t> classes;
    for (const size_t task : classified_tasks(tasks)) classes.push_back(sample.labels[task].class_index);
    Bytes bytes(classes.size() * sizeof(int64_t));
    std::memcpy(bytes.data(), classes.data(), bytes.size());
    return bytes;
}

Bytes encode_jpeg(const Sample& sample, int quality) {
    Bytes bytes;
    const std::vector<int> parameters = {cv::IMWRITE_JPEG_QUALITY, quality, cv::IMWRITE_JPEG_OPTIMIZE, 1};
    try {
        if (cv::imencode(".jpg", sample.image, bytes, parameters)) return bytes;
    } catch (const cv::Exception&) {
    }
    throw Error("packed writer", sample.id, "an image that JPEG can hold",
                fmt::format("{}x{}", sample.image.cols, sample.image.rows));
}

/// The source's own file, which must decode to the sample's image.
Bytes copy_file(const Dataset& source, int64_t index, const Sample& sample) {
    const auto* files = dynamic_cast<const ImageFiles*>(&source);
    if (files == nullptr)
        throw Error("packed writer", "codec copy", "a data set of PNG or JPEG files", source.description());
    const std::string path = files->image_file(index).string(), content = read_file(path, "image");
    Bytes bytes(content.begin(), content.end());
    const cv::Mat decoded = decode_colour_image(bytes, path);
    if (decoded.size() != sample.image.size() || cv::norm(decoded, sample.image, cv::NORM_INF) != 0)
        throw Error("packed writer", path, "the pixels of frame " + sample.id, "others");
    return bytes;
}

Bytes image_stream(const Dataset& source, int64_t index, const Sample& sample,
                   const PackedWriterOptions& options) {
    switch (options.codec) {
        case PackedCodec::jpeg:
            return encode_jpeg(sample, options.jpeg_quality);
        case PackedCodec::png:
            return encode_png(sample.image, options.level);
        case PackedCodec::copy:
            return copy_file(source, index, sample);
        case PackedCodec::raw:
            break;
    }
    return raw_bytes(sample.image);
}

void check(const Sample& sample, const std::vector<TaskSpec>& tasks,
           const std::vector<PackedModality>& expected, const PackedWriterOptions& options) {
    if (sample.image.empty() || sample.image.type() != CV_8UC3)
        throw Error("packed writer", sample.id + ": image", "an 8-bit BGR image", "none or another type");
    const auto found = modalities_of(sample, tasks, options);
    const auto list = [](const std::vector<PackedModality>& modalities) {
        std::string text;
        for (const auto& modality : modalities)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", modality.name,
                                packed_type_name(modality.type));
        return text;
    };
    if (list(found) != list(expected))
        throw Error("packed writer", sample.id, "like the first frame " + list(expected), list(found));
    for (const auto& modality : found) {
        if (modality.task < 0) continue;
        const cv::Mat& pixels = sample.labels[modality.task].pixels;
        if (!pixels.empty() && pixels.size() != sample.image.size())
            throw Error("packed writer", fmt::format("{}: {}", sample.id, modality.name),
                        fmt::format("{}x{} like the image", sample.image.cols, sample.image.rows),
                        fmt::format("{}x{}", pixels.cols, pixels.rows));
    }
}

}  // namespace

std::vector<PackedModality> modalities_of(const Sample& sample, const std::vector<TaskSpec>& tasks,
                                          const PackedWriterOptions& options) {
    if (sample.labels.size() != tasks.size())
        throw Error("packed writer", sample.id, fmt::format("{} labels, one for each task", tasks.size()),
                    std::to_string(sample.labels.size()));
    const bool raw = options.codec == PackedCodec::raw;
    const auto names = packed_names(tasks);
    std::vector<PackedModality> modalities = {
        {"image", sample.image.type(), raw ? PackedEncoding::raw : PackedEncoding::image_file}};
    for (const size_t t : packed_order(tasks)) {
        const cv::Mat& pixels = sample.labels[t].pixels;
        const auto task = static_cast<int64_t>(t);
        if (options.normals_from_depth && tasks[t].kind == TaskKind::normals)
            modalities.push_back({names[t], CV_8UC3, PackedEncoding::from_depth, task});
        else if (!pixels.empty())
            modalities.push_back(
                {names[t], pixels.type(), raw ? PackedEncoding::raw : PackedEncoding::labels, task});
    }
    if (!classified_tasks(tasks).empty()) modalities.push_back({"classes", CV_64FC1, PackedEncoding::raw});
    return modalities;
}

PackedFrame pack_frame(const Dataset& source, int64_t index, const std::vector<PackedModality>& modalities,
                       const PackedWriterOptions& options) {
    const Sample sample = source.get(index);
    check(sample, source.tasks(), modalities, options);
    PackedFrame frame{sample.id, sample.image.size(), {}};
    for (const auto& modality : modalities) {
        if (modality.encoding == PackedEncoding::from_depth) continue;
        if (modality.name == "image") {
            frame.streams.push_back(image_stream(source, index, sample, options));
        } else if (modality.task < 0) {
            frame.streams.push_back(raw_classes(sample, source.tasks()));
        } else {
            const cv::Mat& pixels = sample.labels[modality.task].pixels;
            frame.streams.push_back(modality.encoding == PackedEncoding::raw
                                        ? raw_bytes(pixels)
                                        : encode_labels(pixels, options.level));
        }
    }
    return frame;
}

}  // namespace mtlprune
